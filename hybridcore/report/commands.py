"""The command that gives a cell's results again, read off its results file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from .json_values import items, table
from .results_file import Results

_FLAGS = ("batch_size", "limit", "gen_kwargs")


def command_of(results: Results) -> str | None:
    """Return the command line of lm_eval that a results file tells of.

    A results file does not say where own tasks lie (``--include_path``). None where
    a program made the model, so that no command line did.
    """
    said = table(results.content.get("config"))
    if not said.get("model_args"):
        return None
    line = ["lm_eval", "run", "--model", str(said.get("model", "hybrid"))]
    line += ["--model_args", _joined(said.get("model_args"))]
    line += ["--tasks", ",".join(results.tasks)]
    for name in _FLAGS:
        if said.get(name) not in (None, "", {}):
            line += [f"--{name}", _joined(said[name])]
    few = set(map(str, items(results.content.get("n-shot"))))
    if len(few) == 1:
        line += ["--num_fewshot", *few]
    return shlex.join(line)


def _joined(given: Any) -> str:
    if not isinstance(given, Mapping):
        return f"{given:g}" if isinstance(given, float) else str(given)
    return ",".join(f"{name}={value}" for name, value in given.items())
