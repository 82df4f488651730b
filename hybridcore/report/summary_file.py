"""``summary.json``: the numbers of an experiment, as it estimated them itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ReportError
from .estimate import Estimate
from .json_files import read_json
from .notes import Notes
from .run import Run, TaskOutcome


def apply_summary(run: Run, path: Path, notes: Notes) -> None:
    """Put an experiment's own estimates in place of those made from its cells.

    Rows that judge a task by another metric than the report are passed over.
    """
    if not path.exists():
        notes.add("the run has no summary.json: intervals are of this report's making")
        return
    try:
        rows = _rows(read_json(path), path)
    except ReportError as error:
        notes.add(f"{error}; intervals are of this report's making")
        return
    cells = {cell.id: cell for cell in run.cells}
    for row in rows:
        cell = cells.get(str(row.get("cell")))
        outcome = cell.tasks.get(str(row.get("task"))) if cell else None
        if outcome is not None and _same(str(row.get("metric", "")), outcome.metric):
            _apply(row, outcome)


def _apply(row: Mapping[str, Any], outcome: TaskOutcome) -> None:
    count = row.get("documents")
    documents = count if isinstance(count, int) else outcome.documents
    value = _estimate(row, "value", "low", "high", documents)
    share = _estimate(row, "llm_share", "share_low", "share_high", documents)
    outcome.value, outcome.share = value or outcome.value, share or outcome.share
    ends = "difference_low", "difference_high"
    outcome.difference = _estimate(row, "difference", *ends, documents)


def _estimate(
    row: Mapping[str, Any], value: str, low: str, high: str, documents: int
) -> Estimate | None:
    found = _number(row.get(value))
    if found is None:
        return None
    return Estimate(found, _number(row.get(low)), _number(row.get(high)), documents)


def _rows(content: Any, path: Path) -> list[Mapping[str, Any]]:
    rows = content.get("rows") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ReportError(f"{str(path)!r}: expected a list of rows")
    return rows


def _same(a: str, b: str) -> bool:
    return a == b or a == b.partition(",")[0] or b == a.partition(",")[0]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
