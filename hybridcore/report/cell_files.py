"""Reads the files of one cell into it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from . import estimate
from .asked_documents import documents_in, renumbered
from .json_files import read_lines
from .json_values import whole
from .metric import Metrics
from .results_file import Results
from .run import Cell, Run, TaskOutcome
from .sample_lines import add_sample
from .trace_lines import add_trace_line

_SAME = 1e-6


@dataclass
class CellFiles:
    """Where a cell was written; results and samples are by task."""

    results: dict[str, Results] = field(default_factory=dict)
    samples: dict[str, Path] = field(default_factory=dict)
    traces: list[Path] = field(default_factory=list)


def read_cell(run: Run, cell: Cell, files: CellFiles, metrics: Metrics) -> None:
    """Read the files of a cell into it, and what was asked into the run."""
    for task, results in files.results.items():
        _add_results(run, cell, task, results, metrics)
    for path in files.traces:
        known = cell.places()
        lines = read_lines(path, metrics.notes)
        kept = [add_trace_line(cell, line, known) for line in lines]
        _note_foreign(path, kept, metrics)
    for task, path in files.samples.items():
        outcome = cell.tasks.setdefault(task, TaskOutcome())
        _renumber(outcome, path, whole(cell.info.get("processes")), metrics)
        documents = run.documents.setdefault(task, {})
        lines = read_lines(path, metrics.notes)
        kept = [add_sample(documents, outcome, line) for line in lines]
        _note_foreign(path, kept, metrics)
    for outcome in cell.tasks.values():
        _estimate(outcome)


def _add_results(
    run: Run, cell: Cell, task: str, results: Results, metrics: Metrics
) -> None:
    metric = metrics.of(results, task)
    cell.tasks[task] = TaskOutcome(
        metric=metric,
        value=results.value(task, metric),
        counts=results.counts(task),
    )
    cell.info = cell.info or results.hybrid
    if not results.higher_is_better(task, metric):
        run.higher_is_better[task] = False


def _renumber(
    outcome: TaskOutcome, samples: Path, processes: int, metrics: Metrics
) -> None:
    if not outcome.answers:
        return
    found = renumbered(outcome.answers, documents_in(samples), processes)
    if found is None:
        metrics.notes.add(
            f"{str(samples)!r}: samples are missing, so that nobody can say whose the "
            "lines of the trace are: they are left out"
        )
    outcome.answers = found or {}


def _note_foreign(path: Path, kept: list[bool], metrics: Metrics) -> None:
    if foreign := kept.count(False):
        metrics.notes.add(
            f"{str(path)!r}: {foreign} lines do not say which document they are of: "
            "left out"
        )


def _estimate(outcome: TaskOutcome) -> None:
    """Put intervals over documents where the documents are known."""
    if not outcome.counts and outcome.traced.requests:
        outcome.counts = outcome.traced.as_dict()
    answers = list(outcome.answers.values())
    values = [a.value for a in answers if a.value is not None]
    measured = estimate.mean(values)
    if measured is not None and _agree(outcome.value, measured):
        outcome.value = measured
    outcome.share = estimate.ratio(
        [a.llm_units for a in answers], [a.units for a in answers]
    ) or _counted_share(outcome)


def _agree(reported: estimate.Estimate | None, measured: estimate.Estimate) -> bool:
    """Not every metric is a mean over documents."""
    if reported is None:
        return True
    return math.isclose(reported.value, measured.value, rel_tol=_SAME, abs_tol=_SAME)


def _counted_share(outcome: TaskOutcome) -> estimate.Estimate | None:
    def counted(*names: str) -> int:
        return sum(whole(outcome.counts.get(name)) for name in names)

    units = counted("tokens_out", "scored_tokens")
    by_llm = counted("tokens_from_llm", "scored_from_llm")
    return estimate.Estimate(by_llm / units) if units else None
