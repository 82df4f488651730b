"""Which cells of an experiment are scored from one recording, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..discovery import create
from ..errors import ArgumentError
from ..harness.hybrid_lm import HybridLM, Replay
from ..scoring import Score, ScoreRequest
from ..strategy import Strategy
from .cell import Cell
from .choice import Choice
from .experiment import Experiment
from .family import Family, stateless
from .recorded_text import recorded_requests
from .recording import Recording
from .tasks import TaskFacts
from .thresholds import even_thresholds

# counts of what a replayed cell would have read, which nobody counted
_UNREAD = (
    "slm_forwards",
    "llm_forwards",
    "slm_tokens_processed",
    "llm_tokens_processed",
    "llm_prefill_tokens",
    "reused_prefix_tokens",
    "activated_params_per_token",
)


class Used:
    """A replay that remembers whether it knew what it was asked."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self.knew = False

    def __call__(
        self, requests: list[ScoreRequest]
    ) -> Iterator[tuple[int, Score]] | None:
        """Return the scores, None where they are not known."""
        scores = self._replay(requests)
        self.knew = scores is not None
        return scores


class Replaying:
    """The recording of an experiment.

    A sweep scores all its thresholds from it, any experiment its oracle.
    """

    def __init__(
        self, lm: HybridLM, experiment: Experiment, tasks: Mapping[str, TaskFacts]
    ) -> None:
        self._lm = lm
        self._tasks = tasks
        self._sweeps = experiment.kind == "sweep"
        strategies = list(_recorded(experiment)) if self._sweeps else []
        self._recording = Recording(lm, strategies)

    def of(self, cell: Cell, strategy: Strategy) -> Used | None:
        """Return what scores a cell, None where the models have to run."""
        if cell.role == "oracle":
            return Used(self._recording.oracle)
        return Used(self._recording.replay(strategy)) if self._sweeps else None

    def signals(self, choice: Choice, llm_only: Path) -> tuple[Family, Tensor]:
        """Return the signals that a choice's one open option is compared with.

        :param llm_only: the finished cell of the LLM alone, along whose texts they
            are recorded.
        :raises ArgumentError: the strategy does not ask by comparing.
        """
        (name,) = (name for name, values in choice.grid.items() if not values)
        strategy = create(choice.name, choice.options)
        found = None
        if stateless(strategy):
            lm = self._lm.with_strategy(strategy, scoring="strategy")
            requests = recorded_requests(lm, llm_only, self._tasks)
            found = self._recording.signals(requests, strategy)
        if found is None or found[0].option != name:
            raise ArgumentError(
                f"{choice.name} does not ask by comparing a signal with {name!r}: "
                "expected a strategy that does\n"
                f"give its values: --param {name}=first:last:count"
            )
        return found

    def thresholds(self, choice: Choice, llm_only: Path) -> list[float]:
        """Return values of a choice's one open option, at even shares of the LLM."""
        return even_thresholds(*self.signals(choice, llm_only), choice.points or 1)


def without_unread(hybrid: dict[str, Any], tasks: Mapping[str, TaskFacts]) -> None:
    """Take out of a replayed cell's report what nobody counted."""
    hybrid["replayed"] = [name for name in hybrid["tasks"] if tasks[name].scores]
    for name in hybrid["replayed"]:
        hybrid["tasks"][name].update(dict.fromkeys(_UNREAD))
    if hybrid["replayed"]:
        hybrid["total"].update(dict.fromkeys(_UNREAD))


def _recorded(experiment: Experiment) -> Iterator[Strategy]:
    """Yield one strategy for each family that the experiment may have."""
    for choice in experiment.strategies:
        for setting in choice.settings() or [dict(choice.options)]:
            strategy = create(choice.name, setting)
            if stateless(strategy):
                yield strategy
    yield create("random", {})
