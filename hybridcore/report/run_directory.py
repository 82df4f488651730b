"""Reads the folder that ``hybridlm compare`` and ``hybridlm sweep`` write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..errors import ReportError
from .cell_files import CellFiles, read_cell
from .curves_file import apply_curves
from .json_files import read_object
from .json_values import items, table
from .metric import Metrics
from .results_file import read_results
from .run import Cell, Run
from .summary_file import apply_summary, read_summary

FORMAT = 1


def is_run_directory(path: Path) -> bool:
    """Whether a folder holds an experiment, whatever its format."""
    return (path / "run.json").is_file()


def read_run_directory(path: Path, metrics: Metrics) -> Run:
    """Read an experiment; cells that cannot be read are noted.

    :raises ReportError: it is of another format, damaged, or has no finished cell.
    """
    said = read_object(path / "run.json")
    if said.get("format") != FORMAT:
        raise ReportError(
            f"{str(path)!r} is a run directory of format {said.get('format')!r}: "
            f"expected {FORMAT}\nuse the hybridlm that wrote it, or run it again"
        )
    run = Run(
        _title(said),
        str(said.get("command", "")),
        tuple(map(str, items(said.get("tasks")))),
        dict(_facts(said)),
        files=dict(_files(path, "experiment.toml")),
    )
    summary = read_summary(path / "summary.json", metrics.notes)
    for row in summary:
        metrics.prefer(str(row.get("task")), str(row.get("metric")))
    _read_cells(run, path, metrics)
    _sort(run.cells, [row.get("cell") for row in summary])
    apply_summary(run, summary)
    apply_curves(run, path / "curves.json", metrics.notes)
    return run


def _read_cells(run: Run, path: Path, metrics: Metrics) -> None:
    folders = sorted(p for p in (path / "cells").glob("*") if p.name[:1] != ".")
    for folder in tqdm(folders, desc="Reading cells", disable=None, leave=False):
        try:
            run.cells.append(_cell(run, folder, metrics))
        except ReportError as error:
            metrics.notes.add(f"{error}; its cell is left out")
    if not any(cell.tasks for cell in run.cells):
        raise ReportError(
            f"{str(path)!r} has no finished cell to report on"
            "\nrun it again: what is finished is kept"
        )


def _sort(cells: list[Cell], summarised: Sequence[Any]) -> None:
    """Sort as the summary does; what it lacks by strategy and options."""
    places = {str(cell): place for place, cell in enumerate(dict.fromkeys(summarised))}

    def key(cell: Cell) -> tuple[Any, ...]:
        values = cell.options.values()
        options = [
            (isinstance(v, str), v) if _orders(v) else (1, str(v)) for v in values
        ]
        return places.get(cell.id, len(places)), cell.strategy, options

    cells.sort(key=key)


def _orders(value: Any) -> bool:
    return isinstance(value, (int, float, str))


def _files(path: Path, *names: str) -> Iterable[tuple[str, str]]:
    for name in names:
        if (path / name).is_file():
            yield name, (path / name).read_text(encoding="utf-8", errors="replace")


def _cell(run: Run, folder: Path, metrics: Metrics) -> Cell:
    said = read_object(folder / "cell.json")
    cell = Cell(
        id=str(said.get("id", folder.name)),
        label=str(said.get("label", folder.name)),
        strategy=str(said.get("strategy", "")),
        options=table(said.get("options")),
        role=str(said.get("role", "candidate")),
    )
    if said.get("status") != "done":
        cell.error = str(said.get("error") or "not finished")
        return cell
    results = read_results(folder / "results.json")
    files = CellFiles(results=dict.fromkeys(results.tasks, results))
    for samples in sorted(folder.glob("samples_*.jsonl")):
        files.samples[samples.stem.removeprefix("samples_")] = samples
    files.traces = sorted(folder.glob("trace*.jsonl"))
    read_cell(run, cell, files, metrics)
    return cell


def _title(said: Mapping[str, Any]) -> str:
    pair = table(said.get("pair"))
    return f"{pair.get('slm', '?')} + {pair.get('llm', '?')}"


def _facts(said: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name in ("kind", "created", "seed"):
        if said.get(name) is not None:
            yield name, str(said[name]).replace("T", " ").replace("+00:00", " UTC")
    for name, version in table(said.get("versions")).items():
        yield str(name), str(version)
