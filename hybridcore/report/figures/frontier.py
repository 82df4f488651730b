"""Accuracy against cost: one point for each cell, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..estimate import Estimate
from ..palette import LIGHT, Styles
from ..pareto import front
from ..run import Cell, Run
from .drawing import in_percent, shortened

_SIZE = (10.2, 4.7)
_APART = 0.07, 0.045  # of the axes, two labels
_FULL = 0.6  # from this share on, the axis goes to 100 %
_BOUNDS = {
    "random": "random routing",
    "oracle": "oracle",
    "slm-only": None,
    "llm-only": None,
}
_ALONE = {"slm-only": ("slm", "SLM alone"), "llm-only": ("llm", "LLM alone")}


@dataclass(frozen=True)
class _Point:
    cell: Cell
    share: Estimate
    value: Estimate
    gid: str


def frontier(run: Run, task: str, styles: Styles, as_percent: bool) -> Figure:
    """Draw a task; every point has the id that the page looks for."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    points = _points(run, task)
    _alone(axes, run, task)
    for name in dict.fromkeys(p.cell.strategy for p in points if not _fixed(p)):
        _strategy(axes, [p for p in points if p.cell.strategy == name], styles)
    _bounds(axes, points, styles)
    _front(axes, run, task, points)
    _limits(axes, points, as_percent)
    _label(axes, run, task, points)
    axes.set_xlabel("LLM share of tokens")
    metric = next((o.metric for _, o in run.on(task) if o.metric), "")
    better = "" if run.higher_is_better.get(task, True) else "  (lower is better)"
    axes.set_ylabel(metric.partition(",")[0] + better)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), labelspacing=0.75)
    return figure


def _points(run: Run, task: str) -> list[_Point]:
    return [
        _Point(cell, outcome.share, outcome.value, f"point-{run.point(task, cell)}")
        for cell, outcome in run.on(task)
        if outcome.share is not None and outcome.value is not None
    ]


def _fixed(point: _Point) -> bool:
    return point.cell.role != "candidate"


def _alone(axes: Axes, run: Run, task: str) -> None:
    """Draw the models alone as levels, which need no place on the axis of costs."""
    for cell, outcome in run.on(task):
        if cell.role not in _ALONE or outcome.value is None:
            continue
        name, label = _ALONE[cell.role]
        axes.axhline(
            outcome.value.value, color=LIGHT[name], lw=1.4, label=label, zorder=1.5
        )
        if ends := outcome.value.ends:
            axes.axhspan(*ends, color=LIGHT[name], alpha=0.09, lw=0)


def _strategy(axes: Axes, points: list[_Point], styles: Styles) -> None:
    points = sorted((p for p in points if not _fixed(p)), key=lambda p: p.share.value)
    name = points[0].cell.strategy
    colour, marker = styles.colour(points[0].cell), styles.marker(points[0].cell)
    if _is_line(points):
        shares, values = (
            [p.share.value for p in points],
            [p.value.value for p in points],
        )
        axes.plot(shares, values, color=colour, lw=1.2, alpha=0.55, zorder=2)
    for number, point in enumerate(points):
        label = shortened(name, 24) if number == 0 else None
        _draw(axes, point, colour, marker, label)


def _is_line(points: list[_Point]) -> bool:
    """Whether one option alone tells the points apart."""
    names = {name for p in points for name in p.cell.options}
    told = {n: {repr(p.cell.options.get(n)) for p in points} for n in names}
    return sum(len(values) > 1 for values in told.values()) == 1


def _draw(
    axes: Axes, point: _Point, colour: str, marker: str, label: str | None
) -> None:
    x, y = point.share, point.value
    if ends := x.ends:
        axes.plot(ends, [y.value] * 2, color=colour, lw=1.1, alpha=0.5)
    if ends := y.ends:
        axes.plot([x.value] * 2, ends, color=colour, lw=1.1, alpha=0.5)
    (mark,) = axes.plot(
        x.value,
        y.value,
        marker,
        color=colour,
        markersize=11 if marker == "*" else 7,
        markeredgecolor=colour if marker == "x" else LIGHT["paper"],
        markeredgewidth=1.5 if marker == "x" else 0.9,
        label=label,
        zorder=4,
    )
    mark.set_gid(point.gid)


def _bounds(axes: Axes, points: list[_Point], styles: Styles) -> None:
    for role, label in _BOUNDS.items():
        found = sorted(
            (p for p in points if p.cell.role == role), key=lambda p: p.share.value
        )
        if not found:
            continue
        cell = found[0].cell
        colour, marker = styles.colour(cell), styles.marker(cell)
        if len(found) > 1:
            xs, ys = zip(*((p.share.value, p.value.value) for p in found), strict=True)
            axes.plot(xs, ys, color=colour, lw=1, ls=(0, (1, 2)), zorder=1.8)
        for number, point in enumerate(found):
            _draw(axes, point, colour, marker, None if number else label)


def _front(axes: Axes, run: Run, task: str, points: list[_Point]) -> None:
    by_cell = {point.cell.id: point for point in points}
    kept = [by_cell[cell.id] for cell in front(run, task)]
    if len(kept) > 1:
        axes.plot(
            [p.share.value for p in kept],
            [p.value.value for p in kept],
            color=LIGHT["front"],
            lw=1.3,
            ls=(0, (4, 2.5)),
            label="Pareto front",
            zorder=3,
        )


def _label(axes: Axes, run: Run, task: str, points: list[_Point]) -> None:
    """Write their options beside points of the front, the best first.

    To be called when the limits stand: a label that would lie on another is left out.
    """
    by_cell = {point.cell.id: point for point in points}
    kept = [by_cell[cell.id] for cell in front(run, task)]
    taken: list[tuple[float, float]] = []
    for point in reversed([p for p in kept if not _fixed(p)]):
        place = point.share.value, point.value.value
        x, y = axes.transAxes.inverted().transform(axes.transData.transform(place))
        if any(abs(x - a) < _APART[0] and abs(y - b) < _APART[1] for a, b in taken):
            continue
        taken.append((x, y))
        options = point.cell.options.values()
        axes.annotate(
            shortened(", ".join(map(_short, options)), 16),
            place,
            xytext=(6, -12),
            textcoords="offset points",
            fontsize=8,
            color=LIGHT["muted"],
            # above the intervals, below the points
            bbox={"facecolor": LIGHT["paper"], "alpha": 0.75, "lw": 0, "pad": 0.6},
            zorder=3.5,
        )


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _limits(axes: Axes, points: list[_Point], as_percent: bool) -> None:
    costs = [p.share.high or p.share.value for p in points if p.cell.role != "llm-only"]
    reach = max(costs, default=1.0)
    right = 1.0 if reach > _FULL or reach == 0 else 1.18 * reach
    axes.set_xlim(-0.02 * right, 1.02 * right)
    in_percent(axes, "x")
    if as_percent:
        in_percent(axes, "y")
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.03), min(high, 1.03))
