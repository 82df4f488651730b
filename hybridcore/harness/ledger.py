"""Sums tallies by task, over processes, and says what they come to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from ..tally import Tally

NO_TASK = "(no task)"


@dataclass
class Ledger:
    """What one process counted, or several together.

    ``generation_s`` and ``scoring_s`` are wall-clock seconds spent in calls, loading
    and probing left out. ``cached`` answers came from lm_eval's response cache; the
    tallies know nothing of them.
    """

    tasks: dict[str, Tally] = field(default_factory=dict)
    generation_s: float = 0.0
    scoring_s: float = 0.0
    cached: int = 0

    def add(self, task: str | None, tally: Tally) -> None:
        """Add what one request counted."""
        self.tasks.setdefault(task or NO_TASK, Tally()).add(tally)

    @contextmanager
    def timed(self, kind: Literal["generation_s", "scoring_s"]) -> Iterator[None]:
        """Add the time inside the block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, kind, getattr(self, kind) + time.perf_counter() - start)

    @classmethod
    def total(cls, ledgers: Iterable[Ledger]) -> Ledger:
        """Return the sum over processes that ran at the same time."""
        result = cls()
        for ledger in ledgers:
            result.join(ledger)
        return result

    def join(self, other: Ledger) -> None:
        """Add what a process counted that ran at the same time as this one."""
        for task, tally in other.tasks.items():
            self.add(task, tally)
        self.generation_s = max(self.generation_s, other.generation_s)
        self.scoring_s = max(self.scoring_s, other.scoring_s)
        self.cached += other.cached

    def as_dict(self, slm_parameters: int, llm_parameters: int) -> dict[str, Any]:
        """Return the counts of every task and of all together, with rates."""
        total = Tally.total(self.tasks.values())
        costs = (slm_parameters, llm_parameters)
        return {
            "total": {
                **_costed(total, *costs),
                "cached_requests": self.cached,
                "wall_s": self.generation_s + self.scoring_s,
                "generation_s": self.generation_s,
                "scoring_s": self.scoring_s,
                "tokens_per_s": _ratio(total.tokens_out, self.generation_s),
            },
            "tasks": {
                name: _costed(tally, *costs) for name, tally in self.tasks.items()
            },
        }


def _costed(tally: Tally, slm_parameters: int, llm_parameters: int) -> dict[str, Any]:
    spent = (
        slm_parameters * tally.slm_tokens_processed
        + llm_parameters * tally.llm_tokens_processed
    )
    answered = tally.tokens_out + tally.scored_tokens
    return {
        **tally.as_dict(),
        "activated_params_per_token": _ratio(spent, answered),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
