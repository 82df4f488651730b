"""Runs an experiment: what is not done yet, then the summary of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ArgumentError
from .backend import Backend
from .cell import Cell
from .choice import Choice
from .curve import Curve, axes, curves
from .experiment import Experiment
from .measured import Measured, measured
from .plain_json import dumped
from .plan import bounds, candidates, random_cells, routes
from .progress import ExperimentProgress
from .run_directory import RunDirectory
from .summary import Row, TaskSummary, as_csv
from .tasks import TaskFacts

Found = tuple[Mapping[str, Any], Mapping[str, Measured]]


@dataclass
class Outcome:
    """What an experiment came to.

    Attributes:
        rows: of the summary, in the order of tasks and cells.
        curves: one for each family of two cells or more, and task.
        failed: why a cell failed, by its label.
        ran: ids of the cells that this call ran.
    """

    rows: list[Row] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)


class Run:
    """One experiment in one directory.

    :param tasks: every task of it, by name.
    """

    def __init__(
        self,
        experiment: Experiment,
        directory: RunDirectory,
        tasks: Mapping[str, TaskFacts],
        backend: Backend,
        progress: ExperimentProgress,
    ) -> None:
        self._experiment = experiment
        self._directory = directory
        self._tasks = tasks
        self._backend = backend
        self._progress = progress
        self._outcome = Outcome()
        self._found: dict[str, Found] = {}

    def __call__(self) -> Outcome:
        """Run what is missing, and write the summary."""
        cells = bounds()
        self._run(cells)
        routed = candidates(map(self._filled, self._experiment.strategies))
        self._run(routed)
        beside = self._random(routed)
        self._run(beside)
        self._summarise([*cells, *routed, *beside])
        return self._outcome

    def _filled(self, choice: Choice) -> Choice:
        """Return a choice whose thresholds are chosen, as they were at first."""
        if choice.points is None:
            return choice
        name = (
            f"{choice.name}, {', '.join(choice.grid)}, {choice.points} points, "
            f"shares up to {choice.max_share:g}"
        )
        known = self._directory.read("thresholds.json") or {}
        if name not in known:
            if "llm-only" not in self._found:
                raise ArgumentError(
                    f"points={choice.points!r}: llm-only failed, and the signal is "
                    "recorded along its texts\nrepair it, or give values with --param"
                )
            folder = self._directory.folder("llm-only")
            known[name] = self._backend.thresholds(choice, folder)
            self._directory.write("thresholds.json", dumped(known))
        return choice.filled(known[name])

    def _run(self, cells: Sequence[Cell]) -> None:
        self._progress.more_cells(len(cells))
        done = self._directory.done()
        missing = [cell for cell in cells if cell.id not in done]
        for _ in range(len(cells) - len(missing)):
            self._progress.cell_done()
        for cell, error in self._backend.run(missing):
            self._outcome.ran.append(cell.id)
            if error is not None:
                self._outcome.failed[cell.label] = error
                self._progress.say(f"{cell.label} failed: {error.splitlines()[0]}")
            self._progress.cell_done()
        done = self._directory.done()
        for cell in cells:
            if cell.id in done:
                folder = self._directory.folder(cell.id)
                self._found[cell.id] = done[cell.id], measured(folder, self._tasks)

    def _random(self, cells: Sequence[Cell]) -> list[Cell]:
        found = []
        for task in self._tasks:
            shares = {
                cell.id: self._found[cell.id][1][task].llm_share
                for cell in cells
                if routes(cell) and cell.id in self._found
            }
            limit, alone = self._experiment.random_points, len(self._tasks) == 1
            found += random_cells(task, shares, limit, alone)
        return found

    def _summarise(self, cells: Sequence[Cell]) -> None:
        for task, facts in self._tasks.items():
            known = [self._found[cell.id] for cell in cells if cell.id in self._found]
            of_task = [(cell, by[task]) for cell, by in known if task in by]
            summary = TaskSummary(self._experiment, facts, of_task)
            self._progress.begin(f"summary of {task}", len(of_task))
            for row in summary.rows():
                self._outcome.rows.append(row)
                self._progress.advance()
            self._outcome.curves += curves(summary, axes(self._experiment.strategies))
        self._directory.write("summary.json", dumped(self._outcome.rows))
        self._directory.write("summary.csv", as_csv(self._outcome.rows))
        self._directory.write("curves.json", dumped(self._outcome.curves))
