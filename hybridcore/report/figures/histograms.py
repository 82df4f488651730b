"""Small multiples: LLM share by document, and drafts accepted by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..json_values import items, number, whole
from ..numbers import percent
from ..palette import LIGHT, Styles
from ..run import Cell, Run, TaskOutcome
from .drawing import in_percent, shortened

PANELS = 24
_COLUMNS = 4
_BINS = 20
_WIDTH, _HEIGHT = 10.2, 1.6


@dataclass(frozen=True)
class Panel:
    """One cell's data in a figure of small multiples."""

    cell: Cell
    outcome: TaskOutcome
    values: list[float] = field(default_factory=list)


def share_panels(run: Run, task: str) -> list[Panel]:
    """Return the cells whose LLM share is known by document and differs among them."""
    panels = [
        Panel(cell, outcome, _shares(outcome))
        for cell, outcome in run.on(task)
        if cell.role not in ("slm-only", "llm-only")
    ]
    return [panel for panel in panels if len(set(panel.values)) > 1]


def acceptance_panels(run: Run, task: str) -> list[Panel]:
    """Return the cells that had drafts judged."""
    panels = [Panel(cell, outcome, _blocks(outcome)) for cell, outcome in run.on(task)]
    return [panel for panel in panels if sum(panel.values)]


def _blocks(outcome: TaskOutcome) -> list[float]:
    """Return for each number of accepted drafts the blocks that had it."""
    return [*map(whole, items(outcome.counts.get("acceptance_histogram")))]


def shares(panels: Sequence[Panel], styles: Styles) -> Figure:
    """Draw how the LLM share differs among documents; a line marks the whole."""
    figure, grid = _grid(len(panels))
    reach = max(max(panel.values) for panel in panels)
    bins = [i * min(1.0, 1.02 * reach) / _BINS for i in range(_BINS + 1)]
    for panel, axes in zip(panels, grid, strict=True):
        colour = styles.colour(panel.cell)
        axes.hist(panel.values, bins, color=colour, alpha=0.75)
        if panel.outcome.share is not None:
            axes.axvline(panel.outcome.share.value, color=LIGHT["ink"], lw=1.1)
            _title(axes, panel, percent(panel.outcome.share.value))
        in_percent(axes, "x")
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    figure.supxlabel("LLM share of a document's tokens", fontsize=9)
    figure.supylabel("documents", fontsize=9)
    return figure


def acceptance(panels: Sequence[Panel], styles: Styles) -> Figure:
    """Draw how many drafts of a block the LLM accepted, as parts of all blocks."""
    figure, grid = _grid(len(panels))
    for panel, axes in zip(panels, grid, strict=True):
        blocks = sum(panel.values)
        heights = [count / blocks for count in panel.values]
        colour = styles.colour(panel.cell)
        axes.bar(range(len(heights)), heights, 0.86, color=colour, alpha=0.75)
        axes.set_xticks(range(0, len(heights), max(1, ceil(len(heights) / 9))))
        axes.grid(visible=False, axis="x")
        in_percent(axes, "y")
        counts = panel.outcome.counts
        length = f"{number(counts.get('mean_acceptance_length')) or 0:.2f}"
        rate = percent(number(counts.get("draft_acceptance_rate")), 0)
        _title(axes, panel, f"{rate} accepted, length {length}")
    figure.supxlabel("drafts accepted of a block", fontsize=9)
    figure.supylabel("blocks", fontsize=9)
    return figure


def _shares(outcome: TaskOutcome) -> list[float]:
    shares = (answer.share for answer in outcome.answers.values())
    return [share for share in shares if share is not None]


def _title(axes: Axes, panel: Panel, fact: str) -> None:
    label = shortened(panel.cell.label, 34)
    axes.set_title(f"{label}\n{fact}", loc="left", fontsize=8, linespacing=1.35)


def _grid(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(_COLUMNS, max(_COLUMNS - 1, count))
    rows = ceil(count / columns)
    size = (_WIDTH, 0.5 + _HEIGHT * rows)
    figure = Figure(figsize=size, layout="constrained")
    grid = [figure.add_subplot(rows, columns, place + 1) for place in range(count)]
    for axes in grid:
        axes.tick_params(labelsize=7.5, length=2.5)
    return figure, grid
