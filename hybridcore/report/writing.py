"""Reads a run, draws its figures, and writes the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as Drawing
from tqdm import tqdm

from .. import __version__
from ..errors import ReportError
from ..whole_file import write_whole
from .figures.drawing import save, style
from .figures.frontier import frontier
from .figures.histograms import (
    PANELS,
    acceptance,
    acceptance_panels,
    share_panels,
    shares,
)
from .loose_run import read_loose
from .metric import Metrics
from .notes import Notes
from .page import Figure, render
from .palette import Styles
from .run import Run
from .run_directory import is_run_directory, read_run_directory
from .table import as_percent

_FRONTIER = (
    "Every run by what it costs and what it reaches, with intervals both ways. The "
    "models alone are levels with their intervals as bands; no run is cheaper and "
    "better than those along the dashed front. Point at a run for its numbers, click "
    "for its samples."
)
_SHARES = (
    "How much of each document came from the LLM; the line is the share of all tokens."
)
_ACCEPTANCE = "Blocks of drafts by how many of them the LLM accepted."


@dataclass(frozen=True)
class Written:
    """What was written, and what the reader should know of what was read."""

    page: Path
    figures: tuple[Path, ...]
    notes: tuple[str, ...]


def write_report(
    paths: Sequence[str | Path],
    output: str | Path | None = None,
    metric: str | None = None,
) -> Written:
    """Write a page, and its figures into the folder ``figures`` beside it.

    :param paths: one run directory; or results, samples and traces of lm_eval, or
        folders of them.
    :param output: the page; ``report.html`` in the (first) folder where left out.
    :param metric: the metric that tasks are judged by; their first where left out.
    :raises ReportError: a path cannot be read, or holds nothing to report on.
    """
    notes = Notes()
    run = _read([Path(path) for path in paths], Metrics(metric, notes))
    page = _page_path(Path(paths[0]), output)
    folder = page.parent / "figures"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        styles = Styles(run.cells)
        figures = _draw(run, styles, folder)
        text = render(run, styles, figures, notes, __version__)
        write_whole(page, text.encode("utf-8", "replace"))
    except OSError as error:
        raise ReportError(
            f"{str(page)!r} cannot be written: {error.strerror}\n"
            "name another file with --output"
        ) from None
    names = [figure.name for drawn in figures.values() for figure in drawn]
    files = [folder / f"{name}.{kind}" for name in names for kind in ("svg", "png")]
    return Written(page, tuple(files), tuple(notes))


def _read(paths: Sequence[Path], metrics: Metrics) -> Run:
    if len(paths) == 1 and is_run_directory(paths[0]):
        run = read_run_directory(paths[0], metrics)
    else:
        run = read_loose(paths, metrics)
    metrics.check()
    for task in run.tasks():
        if not any(outcome.documents for _, outcome in run.on(task)):
            metrics.notes.add(f"{task} has no documents: left out")
            for cell in run.cells:
                cell.tasks.pop(task, None)
    if not run.tasks():
        raise ReportError(
            f"no documents in {', '.join(repr(str(path)) for path in paths)}: "
            "nothing to report on"
        )
    return run


def _page_path(first: Path, output: str | Path | None) -> Path:
    if output is not None:
        return Path(output)
    return (first if first.is_dir() else first.parent) / "report.html"


def _draw(run: Run, styles: Styles, folder: Path) -> dict[str, list[Figure]]:
    bar = tqdm(run.tasks(), desc="Drawing", disable=None, leave=False)
    return {task: _of_task(run, task, styles, folder) for task in bar}


def _of_task(run: Run, task: str, styles: Styles, folder: Path) -> list[Figure]:
    name = re.sub(r"[^A-Za-z0-9._=+-]", "_", task)[:80]
    drawn = []
    with style(f"{run.tasks().index(task)} {task}"):
        if any(o.value and o.share for _, o in run.on(task)):
            figure = frontier(run, task, styles, as_percent(run, task))
            title = f"Accuracy against cost on {task}"
            drawn.append(_saved(f"frontier_{name}", title, _FRONTIER, figure, folder))
        if panels := share_panels(run, task):
            caption = _SHARES + _cut(len(panels))
            figure = shares(panels[:PANELS], styles)
            title = "LLM share by document"
            drawn.append(_saved(f"shares_{name}", title, caption, figure, folder))
        if panels := acceptance_panels(run, task):
            caption = _ACCEPTANCE + _cut(len(panels))
            figure = acceptance(panels[:PANELS], styles)
            title = "Accepted drafts"
            drawn.append(_saved(f"acceptance_{name}", title, caption, figure, folder))
    return drawn


def _saved(
    name: str, title: str, caption: str, figure: Drawing, folder: Path
) -> Figure:
    return Figure(name, title, caption, save(figure, folder / name))


def _cut(count: int) -> str:
    return f" The first {PANELS} of {count} runs." if count > PANELS else ""
