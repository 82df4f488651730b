"""What an experiment is: a pair, strategies, tasks, and how much of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import ArgumentError, did_you_mean
from ..harness.given import canonical
from .choice import Choice

Kind = Literal["compare", "sweep"]
DEMO = {"slm": "demo-slm", "llm": "demo-llm"}
DEMO_TASKS = ("hybrid_demo_generation", "hybrid_demo_choice")
_NOT_OF_THE_PAIR = {
    "strategy": "name it with --strategies or --strategy",
    "calibration": "name its strategy with its options",
    "trace": "every cell of the run directory has its own",
}


@dataclass(frozen=True)
class Experiment:
    """A whole experiment; it can be written down and run again.

    Attributes:
        pair: model arguments of :class:`~hybridcore.HybridLM`, the strategy left out.
        metric: ``"name"`` or ``"name,filter"`` of each task that is not judged by its
            first one; under ``""`` that of all others.
        random_points: how many random cells a task gets at most; each has the LLM
            share of a candidate.
        resamples, confidence: of the bootstrap intervals.
    """

    kind: Kind
    pair: Mapping[str, Any]
    strategies: tuple[Choice, ...]
    tasks: tuple[str, ...] = DEMO_TASKS
    limit: float | None = None
    num_fewshot: int | None = None
    include_path: str | None = None
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    apply_chat_template: bool = False
    metric: Mapping[str, str] = field(default_factory=dict)
    seed: int = 1234
    random_points: int = 5
    resamples: int = 2000
    confidence: float = 0.95

    def checked(self) -> Experiment:
        """Return it with every value of its right type.

        :raises HybridLMError: one is missing or out of range.
        """
        for name, advice in _NOT_OF_THE_PAIR.items():
            if name in self.pair:
                raise ArgumentError(
                    f"pair: {name}={self.pair[name]!r}: expected none here\n{advice}"
                )
        _least("limit", self.limit, 0, "more than 0")
        _least("resamples", self.resamples, 99, "at least 100")
        _least("random_points", self.random_points, -1, "0 or more")
        if not 0 < self.confidence < 1:
            raise ArgumentError(
                f"confidence={self.confidence!r}: expected a number between 0 and 1"
            )
        for name, some in (("tasks", self.tasks), ("strategies", self.strategies)):
            if not some:
                raise ArgumentError(f"{name}: expected at least one, got none")
        _require_pair(self.pair)
        return _with(self, strategies=tuple(c.checked() for c in self.strategies))


def _with(experiment: Experiment, **changes: Any) -> Experiment:
    return Experiment(**{**vars(experiment), **changes})


def _require_pair(pair: Mapping[str, Any]) -> None:
    said = canonical(pair)
    for name in () if "config" in said else ("slm", "llm"):
        if name not in said:
            raise ArgumentError(
                f"pair: {name} is missing: expected a hub id or a folder\n"
                f'write [pair] and {name} = "demo-{name}" for the embedded one'
            )


def _least(name: str, value: float | None, bound: float, expected: str) -> None:
    if value is not None and not bound < value < math.inf:
        raise ArgumentError(f"{name}={value!r}: expected {expected}")


def refuse_unknown(where: str, given: Mapping[str, Any], known: list[str]) -> None:
    """Raise :class:`ArgumentError` for the first name that is not known."""
    for name in given:
        if name not in known:
            raise ArgumentError(
                f"{where}: unknown name {name!r}{did_you_mean(name, known)}\n"
                f"expected: {', '.join(known)}"
            )
