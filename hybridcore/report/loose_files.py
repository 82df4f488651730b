"""Finds results, samples and traces in files and folders that are no run directory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ReportError
from .json_files import first_object
from .json_values import table
from .notes import Notes
from .results_file import Results, read_results

# lm_eval puts the time behind every name
_TIME = re.compile(r"_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)$")
_OLDER = re.compile(r"(.*)\.\d+$")


@dataclass(frozen=True)
class SamplesFile:
    """``samples_<task>_<time>.jsonl``; ``time`` is "" where the name has none."""

    path: Path
    task: str
    time: str


@dataclass(frozen=True)
class TraceFile:
    """A trace, with what each of its lines says of the strategy."""

    path: Path
    strategy: str
    options: Mapping[str, Any]


@dataclass
class LooseFiles:
    """What was found, each kind in the order of its paths."""

    results: list[Results] = field(default_factory=list)
    samples: list[SamplesFile] = field(default_factory=list)
    traces: list[TraceFile] = field(default_factory=list)


def find(paths: Sequence[Path], notes: Notes) -> LooseFiles:
    """Look at files, and at what lies in folders.

    What is asked for by name must be of use; what merely lies in a folder need not.

    :raises ReportError: a path is missing, or a file is none of the three kinds.
    """
    found = LooseFiles()
    for path in paths:
        if path.is_file():
            _add(found, path)
        elif path.is_dir():
            for inner in sorted(path.rglob("*.json*")):
                _add_if_useful(found, inner, notes)
        else:
            raise ReportError(
                f"{str(path)!r}: no such file or folder\nexpected a run directory, or "
                "results, samples or traces of lm_eval --model hybrid"
            )
    return found


def time_of(path: Path) -> str:
    """Return the time that lm_eval put into a file's name, or ""."""
    match = _TIME.search(path.stem)
    return match[1] if match else ""


def _add_if_useful(found: LooseFiles, path: Path, notes: Notes) -> None:
    if path.suffix == ".json" and not path.name.startswith("results"):
        return
    try:
        _add(found, path)
    except ReportError as error:
        notes.add(f"{str(error).splitlines()[0]}; it is left out")


def _add(found: LooseFiles, path: Path) -> None:
    if path.suffix == ".json":
        found.results.append(read_results(path))
        return
    head = first_object(path)
    if head is not None and "tally" in head and "strategy" in head:
        if not _is_older(path):
            found.traces.append(_trace(path, head))
    elif head is not None and "doc_id" in head and "resps" in head:
        found.samples.append(_samples(path))
    elif head is not None or path.stat().st_size:
        raise ReportError(
            f"{str(path)!r} holds neither logged samples of lm_eval nor a trace\n"
            "expected files made with --log_samples or trace=FILE.jsonl"
        )


def _trace(path: Path, head: Mapping[str, Any]) -> TraceFile:
    return TraceFile(path, str(head["strategy"]), table(head.get("options")))


def _samples(path: Path) -> SamplesFile:
    time = time_of(path)
    task = _TIME.sub("", path.stem).removeprefix("samples_")
    return SamplesFile(path, task, time)


def _is_older(path: Path) -> bool:
    """Whether a trace is one that a later evaluation moved aside."""
    match = _OLDER.match(path.stem)
    return match is not None and path.with_stem(match[1]).exists()
