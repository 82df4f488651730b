"""``curves.json``: how fast families of cells recover the gap between the models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ReportError
from .notes import Notes
from .run import Curve, Run
from .summary_file import estimate_of, rows_of


def apply_curves(run: Run, path: Path, notes: Notes) -> None:
    """Read the curves of a run, where it has some."""
    if not path.exists():
        return
    try:
        rows = rows_of(path)
    except ReportError as error:
        notes.add(f"{error}; curves are left out")
        return
    for row in rows:
        levels = row.get("cpt")
        shares = levels if isinstance(levels, Mapping) else {}
        curve = Curve(
            family=str(row.get("family", "")),
            apgr=_estimate(row.get("apgr")),
            cpt={str(level): _estimate(share) for level, share in shares.items()},
        )
        run.curves.setdefault(str(row.get("task")), []).append(curve)


def _estimate(said: Any) -> Any:
    return estimate_of(said) if isinstance(said, Mapping) else None
