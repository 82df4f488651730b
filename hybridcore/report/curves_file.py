"""``curves.json``: how fast families of cells recover the gap between the models."""

from __future__ import annotations

from pathlib import Path

from ..errors import ReportError
from .json_values import number, table
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
        shares = table(row.get("cpt"))
        curve = Curve(
            family=str(row.get("family", "")),
            apgr=estimate_of(table(row.get("apgr"))),
            cpt={
                level: estimate_of(table(share))
                for level, share in shares.items()
                if _is_level(level)
            },
        )
        run.curves.setdefault(str(row.get("task")), []).append(curve)


def _is_level(name: str) -> bool:
    try:
        return number(float(name)) is not None
    except ValueError:
        return False
