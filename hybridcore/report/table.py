"""The table of a task: one row for each cell, in words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..magnitude import magnitude
from . import numbers
from .estimate import Estimate
from .json_values import number
from .palette import Styles
from .pareto import KEPT, cheapest, front
from .run import Cell, Run, TaskOutcome


@dataclass(frozen=True)
class Strip:
    """An interval as a bar, in per cent of the width; without ends only its point."""

    at: float
    left: float | None = None
    width: float | None = None


@dataclass(frozen=True)
class Quantity:
    """A number, its interval in words, its bar, and what to sort it by."""

    text: str
    interval: str = ""
    strip: Strip | None = None
    key: float | None = None


@dataclass(frozen=True)
class Row:
    """One cell on one task."""

    point: str
    cell: Cell
    colour: str
    on_front: bool
    quantities: list[Quantity]


@dataclass(frozen=True)
class Table:
    """Names and meanings of the columns behind the metric's, and the rows."""

    columns: list[tuple[str, str]]
    rows: list[Row]


_COLUMNS = (
    ("difference", "to the LLM alone, paired over documents"),
    ("PGR", "performance gap recovered: 0 is the SLM alone, 1 the LLM alone"),
    ("LLM share", "of the tokens emitted or scored, those by the LLM"),
    ("accepted", "of the drafts that the LLM judged"),
    ("length", "mean tokens a block brings: 1 + accepted / blocks"),
    ("LLM forwards", "that a request took part in, summed over requests"),
    ("LLM tokens read", "prompt and blocks, padding left out"),
    (
        "params/token",
        "active parameters times tokens read, both models, by tokens of the answers",
    ),
    ("documents", "answered"),
)


def as_percent(run: Run, task: str) -> bool:
    """Whether a task's metric is one that is read in per cent."""
    values = [o.value.value for _, o in run.on(task) if o.value]
    return run.higher_is_better.get(task, True) and all(0 <= v <= 1 for v in values)


def table(run: Run, task: str, styles: Styles) -> Table:
    """Return the table of a task, cheapest cell first.

    Empty columns are left out, and the documents where all cells have the same.
    """
    rows = _rows(run, task, styles)
    known = [place for place in range(1, len(_COLUMNS) + 1) if _tells(rows, place)]
    shown = [
        replace(row, quantities=[row.quantities[i] for i in [0, *known]])
        for row in rows
    ]
    return Table([_COLUMNS[place - 1] for place in known], shown)


def _rows(run: Run, task: str, styles: Styles) -> list[Row]:
    on_front = {cell.id for cell in front(run, task)}
    span = _span([o.value for _, o in run.on(task)])
    spans = span, _span([o.share for _, o in run.on(task)])
    percent = as_percent(run, task)
    ordered = sorted(run.on(task), key=lambda pair: _cost(pair[1]))
    return [
        Row(
            run.point(task, cell),
            cell,
            styles.name(cell),
            cell.id in on_front,
            _quantities(outcome, percent, spans),
        )
        for cell, outcome in ordered
    ]


def _tells(rows: Sequence[Row], place: int) -> bool:
    keys = {row.quantities[place].key for row in rows}
    return len(keys) > 1 if place == len(_COLUMNS) else keys != {None}


def finding(run: Run, task: str) -> dict[str, str] | None:
    """Return the cheapest cell that keeps nearly all of the LLM's value, in words."""
    found = cheapest(run, task, KEPT)
    if found is None:
        return None
    cell, outcome = found
    alone = next(o for c, o in run.on(task) if c.role == "llm-only")
    percent = as_percent(run, task)
    assert outcome.value is not None
    assert outcome.share is not None
    assert alone.value is not None
    return {
        "label": cell.label,
        "kept": numbers.percent(KEPT, 0),
        "value": numbers.number(outcome.value.value, percent),
        "interval": numbers.interval(outcome.value, percent),
        "alone": numbers.number(alone.value.value, percent),
        "share": numbers.percent(outcome.share.value),
    }


def _quantities(
    outcome: TaskOutcome, percent: bool, spans: tuple[_Span, _Span]
) -> list[Quantity]:
    counts = outcome.counts
    return [
        _estimated(outcome.value, percent, spans[0]),
        _difference(outcome.difference, percent),
        _plain(outcome.pgr),
        _estimated(outcome.share, True, spans[1]),
        _ratio(counts.get("draft_acceptance_rate"), True),
        _ratio(counts.get("mean_acceptance_length"), False),
        _count(counts.get("llm_forwards")),
        _count(counts.get("llm_tokens_processed")),
        _magnitude(counts.get("activated_params_per_token")),
        _count(outcome.documents),
    ]


_Span = tuple[float, float]


def _span(estimates: Sequence[Estimate | None]) -> _Span:
    """Return the ends of an axis that holds all intervals."""
    ends = [
        end
        for e in estimates
        if e is not None
        for end in (e.low, e.value, e.high)
        if end is not None
    ]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    return low, high if high > low else low + 1.0


def _estimated(estimate: Estimate | None, percent: bool, span: _Span) -> Quantity:
    if estimate is None:
        return Quantity(numbers.NONE)
    return Quantity(
        numbers.number(estimate.value, percent),
        numbers.interval(estimate, percent),
        _strip(estimate, span),
        estimate.value,
    )


def _strip(estimate: Estimate, span: _Span) -> Strip:
    def place(value: float) -> float:
        return round(100 * (value - span[0]) / (span[1] - span[0]), 2)

    at = place(estimate.value)
    if estimate.ends is None:
        return Strip(at)
    left, right = map(place, estimate.ends)
    return Strip(at, left, round(right - left, 2))


def _difference(estimate: Estimate | None, percent: bool) -> Quantity:
    if estimate is None:
        return Quantity(numbers.NONE)
    value = 100 * estimate.value if percent else estimate.value
    ends = numbers.interval(estimate, percent)
    text = f"{value:+.1f}" if percent else f"{value:+.4g}"
    return Quantity(text, ends, key=estimate.value)


def _plain(estimate: Estimate | None) -> Quantity:
    if estimate is None:
        return Quantity(numbers.NONE)
    text, ends = numbers.fixed(estimate, 2)
    return Quantity(text, ends if estimate.ends else "", key=estimate.value)


def _ratio(value: Any, percent: bool) -> Quantity:
    found = number(value)
    return Quantity(numbers.number(found, percent), key=found)


def _count(value: Any) -> Quantity:
    found = value if isinstance(value, int) and number(value) is not None else None
    return Quantity(numbers.count(found), key=found)


def _magnitude(value: Any) -> Quantity:
    found = number(value)
    return Quantity(numbers.NONE if found is None else magnitude(found), key=found)


def _cost(outcome: TaskOutcome) -> float:
    return outcome.share.value if outcome.share else 2.0
