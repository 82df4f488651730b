"""Runs cells one after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .cell import Cell
from .evaluation import Evaluator
from .progress import ExperimentProgress
from .run_directory import RunDirectory


class Local:
    """The default backend."""

    def __init__(
        self,
        evaluator: Evaluator,
        directory: RunDirectory,
        progress: ExperimentProgress,
    ) -> None:
        self._evaluator = evaluator
        self._directory = directory
        self._progress = progress

    def __call__(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, str | None]]:
        """Run cells; yield each, when it is in place, with why it failed."""
        for cell in cells:
            folder = self._directory.begin(cell)
            error = self._evaluator.run(cell, folder, self._progress)
            self._directory.finish(cell, folder)
            yield cell, error
