"""Chooses a threshold on some documents and tells what it gives on others."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..harness.calibration_file import FORMAT
from .cell import Cell, cell_of
from .choice import Choice
from .evaluation import Evaluator
from .experiment import Experiment
from .family import Family
from .measured import Measured, measured
from .plain_json import dumped
from .progress import ExperimentProgress
from .summary import Row, TaskSummary
from .thresholds import threshold_at

_NEAR = 0.01  # of the wanted share; what is nearer is not worth another run
_TRIES = 4


@dataclass(frozen=True)
class Target:
    """What is wanted: a share of the LLM's tokens, or of the LLM's accuracy."""

    llm_share: float | None = None
    accuracy: float | None = None

    def checked(self) -> Target:
        """Return it.

        :raises ArgumentError: not exactly one is given, or it is no share.
        """
        given = {n: v for n, v in vars(self).items() if v is not None}
        if len(given) != 1:
            raise ArgumentError(
                "a calibration needs one target: expected --target-llm-share or "
                "--target-accuracy"
            )
        ((name, value),) = given.items()
        if not 0 < value < 1 and not (name == "accuracy" and value == 1):
            raise ArgumentError(f"target {name}={value!r}: expected between 0 and 1")
        return self


@dataclass(frozen=True)
class _Try:
    threshold: float
    measured: Measured


class Calibration:
    """Looks for a threshold of one strategy on one task.

    :param experiment: its one strategy has one option without values.
    :param fraction: of the documents that the threshold is chosen on.
    :raises ArgumentError: there is more than one task, or there are too few documents.
    """

    def __init__(
        self, experiment: Experiment, fraction: float, progress: ExperimentProgress
    ) -> None:
        self._experiment = experiment
        self._progress = progress
        (self._choice,) = experiment.strategies
        (self._option,) = self._choice.grid
        chosen = Evaluator(experiment)
        if len(chosen.tasks) != 1:
            raise ArgumentError(
                f"tasks {', '.join(chosen.tasks)}: expected one\ncalibrate each alone"
            )
        (self._facts,) = chosen.tasks.values()
        count = chosen.count(self._facts.name)
        self._chosen, self._held_out = split(count, fraction, experiment.seed)
        self._evaluator = chosen.on({self._facts.name: self._chosen})

    def __call__(self, target: Target, points: int) -> dict[str, Any]:
        """Return what ``calibration=FILE`` takes, and what was measured.

        :param points: thresholds tried for an accuracy.
        :raises ArgumentError: there are no points, the strategy does not threshold a
            signal, or no threshold reaches the target.
        :raises HybridLMError: a run failed.
        """
        if points < 1:
            raise ArgumentError(f"points={points!r}: expected a positive whole number")
        with self._cells(self._evaluator) as run:
            llm = run(cell_of("llm-only", {}, "llm-only"))
            look = self._for_share if target.llm_share else self._for_accuracy
            found = look(target, points, llm, run)
        return self._report(target, found)

    def _for_share(
        self, target: Target, points: int, llm: Path, run: Callable[[Cell], Path]
    ) -> _Try:
        wanted = target.llm_share or 0.0
        family, signals = self._signals(llm)
        aim, tries = wanted, []
        for _ in range(_TRIES):
            # answers are not the texts that the signal was recorded along
            one = self._try(family, threshold_at(family, signals, aim), run)
            tries.append(one)
            error = wanted - (one.measured.llm_share or 0.0)
            if abs(error) <= _NEAR:
                break
            aim = min(max(aim + error, 0.0), 1.0)
        return min(tries, key=lambda t: abs((t.measured.llm_share or 0.0) - wanted))

    def _for_accuracy(
        self, target: Target, points: int, llm: Path, run: Callable[[Cell], Path]
    ) -> _Try:
        alone = measured(llm, {self._facts.name: self._facts})[self._facts.name]
        bound = self._bound(alone, target.accuracy or 1.0)
        family, signals = self._signals(llm)
        tries: list[_Try] = []
        for i in range(points):
            share = (i + 1) / (points + 1)
            one = self._try(family, threshold_at(family, signals, share), run)
            tries.append(one)
            if self._reaches(one.measured, bound):
                return one
        best = max(tries, key=lambda t: self._sign() * (t.measured.value or 0.0))
        raise ArgumentError(
            f"target accuracy={target.accuracy!r}: none of {points} thresholds reaches "
            f"{bound:.4g}, {self._option}={best.threshold:g} comes to "
            f"{_shortly(best.measured.value)}\nlower the target, or try more --points"
        )

    def _bound(self, alone: Measured, accuracy: float) -> float:
        if alone.value is None:
            raise ArgumentError(
                f"metric {alone.metric!r} of the LLM is no number: expected one"
            )
        lower = not self._facts.higher_is_better
        return alone.value / accuracy if lower else alone.value * accuracy

    def _reaches(self, one: Measured, bound: float) -> bool:
        return one.value is not None and self._sign() * (one.value - bound) >= 0

    def _sign(self) -> int:
        return 1 if self._facts.higher_is_better else -1

    def _signals(self, llm: Path) -> tuple[Family, Any]:
        return self._evaluator.replaying().signals(self._choice, llm)

    def _try(
        self, family: Family, threshold: float, run: Callable[[Cell], Path]
    ) -> _Try:
        folder = run(self._cell(threshold))
        name = self._facts.name
        return _Try(threshold, measured(folder, {name: self._facts})[name])

    def _cell(self, threshold: float) -> Cell:
        options = {**self._choice.options, self._option: threshold}
        return cell_of(self._choice.name, options)

    @contextmanager
    def _cells(self, evaluator: Evaluator) -> Iterator[Callable[[Cell], Path]]:
        """Give what runs a cell, once, into a folder that is gone afterwards."""
        with tempfile.TemporaryDirectory() as name:

            def run(cell: Cell) -> Path:
                folder = Path(name) / cell.id
                if folder.exists():
                    return folder
                folder.mkdir()
                self._progress.more_cells(1)
                error = evaluator.run(cell, folder, self._progress)
                self._progress.cell_done()
                if error is not None:
                    raise ArgumentError(f"{cell.label} failed: {error}")
                return folder

            yield run

    def _report(self, target: Target, found: _Try) -> dict[str, Any]:
        one = found.measured
        return {
            "format": FORMAT,
            "strategy": self._choice.name,
            "options": dict(self._cell(found.threshold).options),
            "target": {n: v for n, v in vars(target).items() if v is not None},
            "pair": {role: str(self._experiment.pair[role]) for role in ("slm", "llm")},
            "task": self._facts.name,
            "metric": one.metric,
            "seed": self._experiment.seed,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "calibration": {
                "documents": self._chosen,
                "llm_share": one.llm_share,
                "value": one.value,
            },
            "held_out": self._check(found.threshold),
        }

    def _check(self, threshold: float) -> dict[str, Any]:
        """Run the threshold and the LLM alone on documents it was not chosen on."""
        name = self._facts.name
        cells = [cell_of("llm-only", {}, "llm-only"), self._cell(threshold)]
        with self._cells(self._evaluator.on({name: self._held_out})) as run:
            folders = [run(cell) for cell in cells]
            found = [
                (
                    json.loads((folder / "cell.json").read_text(encoding="utf-8")),
                    measured(folder, {name: self._facts})[name],
                )
                for folder in folders
            ]
        llm, mine = TaskSummary(self._experiment, self._facts, found).rows()
        return {"documents": self._held_out, **_shown(mine), "llm_value": llm["value"]}


def split(count: int, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Return which of ``count`` documents to choose on, and which to check on.

    :raises ArgumentError: one of the two would have less than two.
    """
    first = math.ceil(count * fraction)
    if min(first, count - first) < 2:
        raise ArgumentError(
            f"{count} documents and calibration fraction {fraction!r}: expected at "
            "least two to choose on and two to check on\nraise --limit"
        )
    order = np.random.default_rng(seed).permutation(count)
    return sorted(order[:first].tolist()), sorted(order[first:].tolist())


def opened(choice: Choice, option: str) -> Choice:
    """Return a choice with one option to be chosen."""
    return Choice(choice.name, choice.options, {option: ()}, 1)


def missed(report: dict[str, Any]) -> str | None:
    """Return a line on a share that no threshold came near; None where one did."""
    wanted, found = report["target"].get("llm_share"), report["calibration"]
    share = found["llm_share"]
    if wanted is None or (share is not None and abs(share - wanted) <= _NEAR):
        return None
    said = "is not known" if share is None else f"comes to {100 * share:.1f} %"
    return (
        f"target llm_share={wanted!r} is missed: the LLM share {said} at the nearest "
        "threshold that was tried"
    )


def text_of(report: dict[str, Any]) -> str:
    """Return a calibration as it is saved."""
    return dumped(report) + "\n"


def _shortly(value: float | None) -> str:
    return "no number" if value is None else f"{value:.4g}"


def _shown(row: Row) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in ("value", "llm_share", "difference"):
        prefix = {"value": "", "llm_share": "share_"}.get(name, f"{name}_")
        bounds = (f"{prefix}low", f"{prefix}high")
        shown |= {key: row[key] for key in (name, *bounds)}
    return shown
