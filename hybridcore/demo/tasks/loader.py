"""Loads the bundled documents; nothing is downloaded."""

import json
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict

DATA = Path(__file__).resolve().parent.parent / "data"


def load(test: str, fewshot: str | None = None, **_: Any) -> DatasetDict:
    """Return the splits ``test`` and, where one is named, ``train``."""
    names = {"test": test} | ({"train": fewshot} if fewshot else {})
    return DatasetDict({split: _read(name) for split, name in names.items()})


def _read(name: str) -> Dataset:
    with (DATA / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return Dataset.from_list([json.loads(line) for line in lines])
