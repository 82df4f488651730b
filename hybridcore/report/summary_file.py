"""``summary.json``: the numbers of an experiment, as it estimated them itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ReportError
from .estimate import Estimate
from .json_files import read_json
from .json_values import number
from .notes import Notes
from .run import Run, TaskOutcome

_OURS = "intervals are of this report's making"


def read_summary(path: Path, notes: Notes) -> list[Mapping[str, Any]]:
    """Return the rows of a summary; none, and a note, where there is no good one."""
    if not path.exists():
        notes.add(f"the run has no {path.name}: {_OURS}")
        return []
    try:
        return rows_of(path)
    except ReportError as error:
        notes.add(f"{error}; {_OURS}")
        return []


def rows_of(path: Path) -> list[Mapping[str, Any]]:
    """Read a file that holds a list of JSON objects.

    :raises ReportError: it does not.
    """
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ReportError(f"{str(path)!r}: expected a list of rows")
    return rows


def apply_summary(run: Run, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put an experiment's own estimates in place of those made from its cells.

    Rows that judge a task by another metric than the report are passed over.
    """
    cells = {cell.id: cell for cell in run.cells}
    for row in rows:
        cell = cells.get(str(row.get("cell")))
        outcome = cell.tasks.get(str(row.get("task"))) if cell else None
        if outcome is not None and row.get("metric") == outcome.metric:
            _apply(row, outcome)


def _apply(row: Mapping[str, Any], outcome: TaskOutcome) -> None:
    count = row.get("documents")
    documents = count if isinstance(count, int) else outcome.documents
    value = estimate_of(row, "value", "low", "high", documents)
    share = estimate_of(row, "llm_share", "share_low", "share_high", documents)
    outcome.value, outcome.share = value or outcome.value, share or outcome.share
    for name in ("difference", "pgr"):
        found = estimate_of(row, name, f"{name}_low", f"{name}_high", documents)
        setattr(outcome, name, found)


def estimate_of(
    row: Mapping[str, Any],
    value: str = "value",
    low: str = "low",
    high: str = "high",
    documents: int = 0,
) -> Estimate | None:
    """Read a number and the ends of its interval; None where it has no number."""
    found = number(row.get(value))
    if found is None:
        return None
    return Estimate(found, number(row.get(low)), number(row.get(high)), documents)
