"""The summary as a reader sees it in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..magnitude import magnitude
from .curve import Curve
from .summary import Row

_WIDE = 200  # where there is no terminal whose width counts
_STYLES = {"slm-only": "dim", "llm-only": "dim", "random": "dim", "oracle": "dim"}


def print_tables(
    rows: Sequence[Row], curves: Sequence[Curve], confidence: float
) -> None:
    """Print one table for each task, and below it what its curves come to."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    for task in dict.fromkeys(row["task"] for row in rows):
        console.print(_table([row for row in rows if row["task"] == task], confidence))
        for curve in (curve for curve in curves if curve["task"] == task):
            console.print(_line(curve), highlight=False)
        for note in dict.fromkeys(
            f"{row['label']}: {row['note']}"
            for row in rows
            if row["task"] == task and row["note"]
        ):
            console.print(Text(note, style="yellow"))


def _table(rows: Sequence[Row], confidence: float) -> Table:
    first = rows[0]
    arrow = "higher" if first["higher_is_better"] else "lower"
    table = Table(
        title=f"{first['task']}: {first['metric']} ({arrow} is better), "
        f"{first['documents']} documents, {100 * confidence:g} % intervals",
        title_justify="left",
    )
    table.add_column("strategy")
    for head in (
        "value",
        "LLM share",
        "difference to LLM",
        "gap recovered",
        "over random",
        "params/token",
    ):
        table.add_column(head, justify="right")
    for row in rows:
        cost = row["activated_params_per_token"]
        table.add_row(
            Text(row["label"], style=_STYLES.get(row["role"], "")),
            _estimate(row, "value", "", number),
            _estimate(row, "llm_share", "share_", percent),
            _estimate(row, "difference", "difference_", signed),
            _estimate(row, "pgr", "pgr_", percent),
            _estimate(row, "over_random", "over_random_", signed),
            "-" if cost is None else magnitude(cost),
        )
    return table


def _line(curve: Curve) -> Text:
    levels = [
        f"CPT({100 * float(level):g} %) {_estimate(cpt, 'value', '', percent)}"
        for level, cpt in curve["cpt"].items()
    ]
    apgr = _estimate(curve["apgr"], "value", "", number)
    return Text(f"{curve['family']}: APGR {apgr}, {', '.join(levels)}")


def _estimate(row: Row, name: str, prefix: str, write: Any) -> str:
    if row[name] is None:
        return "-"
    low, high = row[f"{prefix}low"], row[f"{prefix}high"]
    if low is None:
        return str(write(row[name]))
    return f"{write(row[name])} [{write(low)}, {write(high)}]"


def number(value: float | None) -> str:
    """Return ``"0.950"``."""
    return "-" if value is None else f"{value:.3f}"


def signed(value: float | None) -> str:
    """Return ``"+0.050"``."""
    return "-" if value is None else f"{value:+.3f}"


def percent(value: float | None) -> str:
    """Return ``"3.1 %"``."""
    return "-" if value is None else f"{100 * value:.1f} %"
