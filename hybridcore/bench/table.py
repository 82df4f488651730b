"""Plain tables: Markdown that also reads well in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .comparison import Line

Column = Callable[[Line], str]
_NOTHING = "-"


def _number(value: float | None, spec: str = ",.0f") -> str:
    return _NOTHING if value is None else format(value, spec)


def _mib(value: int | None) -> str:
    return _number(None if value is None else value / 2**20, ",.1f")


def _percent(value: float | None) -> str:
    return _number(value, ".1%").replace("%", " %")


COLUMNS: dict[str, Column] = {
    "side": lambda line: line.side,
    "batch": lambda line: _number(line.batch_size),
    "seconds (min..max)": lambda line: f"{line.time:.3f}",
    "times ours (min..max)": lambda line: f"{line.ratio:.2f}",
    "requests/s": lambda line: _number(line.rate, ",.1f"),
    "tokens/s": lambda line: _number(line.rate, ",.1f"),
    "LLM tokens": lambda line: _number(line.inspection.tokens_of("llm")),
    "SLM tokens": lambda line: _number(line.inspection.tokens_of("slm")),
    "LLM calls": lambda line: _number(line.inspection.calls_of("llm")),
    "SLM calls": lambda line: _number(line.inspection.calls_of("slm")),
    "accepted": lambda line: _percent(
        line.inspection.counts.get("draft_acceptance_rate")
    ),
    "peak MiB": lambda line: _mib(line.inspection.memory),
    "logits MiB": lambda line: _mib(line.inspection.logits),
    "of limit": lambda line: _percent(line.share),
}


def of_lines(lines: Sequence[Line], names: Sequence[str]) -> str:
    """Return a table of some of :data:`COLUMNS`."""
    return table(names, [[COLUMNS[name](line) for name in names] for line in lines])


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table; the first column is text, the others are numbers."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_row(row, widths) for row in (header, rule, *cells))


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(c.rjust(w) for c, w in others)]
    return f"| {' | '.join(padded)} |"
