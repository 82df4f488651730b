"""Where cells run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from .cell import Cell
from .choice import Choice
from .evaluation import Evaluator
from .progress import ExperimentProgress
from .run_directory import RunDirectory


class Backend(Protocol):
    """What runs cells and puts their folders into the run directory."""

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, str | None]]:
        """Run cells; yield each, when it is in place, with why it failed."""

    def thresholds(self, choice: Choice, llm_only: Path) -> list[float]:
        """Choose thresholds; see :meth:`.Replaying.thresholds`."""


class Local:
    """Runs cells one after the other, in this process."""

    def __init__(
        self,
        evaluator: Evaluator,
        directory: RunDirectory,
        progress: ExperimentProgress,
    ) -> None:
        self._evaluator = evaluator
        self._directory = directory
        self._progress = progress

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, str | None]]:
        """Run cells in their order."""
        for cell in cells:
            folder = self._directory.begin(cell)
            error = self._evaluator.run(cell, folder, self._progress)
            self._directory.finish(cell, folder)
            yield cell, error

    def thresholds(self, choice: Choice, llm_only: Path) -> list[float]:
        """Choose thresholds with the models that the cells use."""
        return self._evaluator.replaying().thresholds(choice, llm_only)
