"""Several sides on one workload: agreement first, then timed rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .agreement import Agreement, compare
from .batch_search import BatchSearch
from .inspection import Inspection, inspect
from .machine import Machine
from .rounds import interleaved
from .side import Side
from .spread import Spread, ratios, spread
from .workload import GENERATION, Workload


@dataclass(frozen=True)
class Line:
    """One side's measurements.

    Attributes:
        seconds: one number a round.
        ratio: its seconds over those of the first side, round by round.
        rate: of medians: requests a second, of generation tokens a second.
        limit: seconds that the machine would need at least; None where unknown.
        inspection: what the untimed pass showed.
    """

    side: str
    batch_size: int | None
    seconds: list[float]
    ratio: Spread
    rate: float
    limit: float | None
    inspection: Inspection

    @property
    def time(self) -> Spread:
        """Seconds of a pass."""
        return spread(self.seconds)

    @property
    def share(self) -> float | None:
        """Share of the machine's limit that the median pass reached."""
        return None if self.limit is None else self.limit / self.time.median

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the answers, ready for JSON."""
        seen = self.inspection
        return {
            "side": self.side,
            "batch_size": self.batch_size,
            "seconds": self.seconds,
            "median_s": self.time.median,
            "ratio": vars(self.ratio),
            "rate_per_s": self.rate,
            "limit_s": self.limit,
            "share_of_limit": self.share,
            "tokens_computed": {r: seen.tokens_of(r) for r in ("slm", "llm")},
            "calls": {r: seen.calls_of(r) for r in ("slm", "llm")},
            "memory_bytes": seen.memory,
            "logits_bytes": seen.logits,
            "counts": dict(seen.counts),
        }


@dataclass
class Comparison:
    """What came of one workload; ``lines[0]`` is ours."""

    workload: Workload
    lines: list[Line]
    agreements: list[Agreement]
    agreed: bool
    searches: dict[str, BatchSearch] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but requests and answers, ready for JSON."""
        return {
            "workload": self.workload.name,
            "kind": self.workload.kind,
            "requests": len(self.workload),
            "agreed": self.agreed,
            "agreements": [vars(a) | {"good": a.good} for a in self.agreements],
            "searches": {name: vars(s) for name, s in self.searches.items()},
            "lines": [line.as_dict() for line in self.lines],
            **self.facts,
        }


Limit = Callable[[Side, Inspection], "float | None"]


def measured(
    sides: Sequence[Side],
    workload: Workload,
    *,
    lm: Any,
    rounds: int,
    machine: Machine,
    limit: Limit,
) -> Comparison:
    """Check that all sides agree with the first, then time them in turns.

    :param lm: an ``HFLM`` that tells margins where texts part.
    :param limit: seconds that the machine needs at least, asked after the rounds.
    """
    seen = [inspect(side, workload) for side in sides]
    agreements = [
        compare(
            (sides[0].name, side.name), seen[0].outputs, other.outputs, workload, lm
        )
        for side, other in zip(sides[1:], seen[1:], strict=True)
    ]
    seconds = interleaved(sides, workload, rounds, machine.measure)
    lines = [
        Line(
            side=side.name,
            batch_size=side.batch_size,
            seconds=taken,
            ratio=ratios(taken, seconds[0]),
            rate=_amount(workload, seen[0].counts) / spread(taken).median,
            limit=limit(side, inspection),
            inspection=inspection,
        )
        for side, taken, inspection in zip(sides, seconds, seen, strict=True)
    ]
    exact = [a for a, side in zip(agreements, sides[1:], strict=True) if side.exact]
    return Comparison(workload, lines, agreements, all(a.good for a in exact))


def _amount(workload: Workload, counts: Mapping[str, Any]) -> int:
    """Return requests, of generation the tokens of the first side's answers."""
    if workload.kind in GENERATION:
        return int(counts["tokens_out"])
    return len(workload)
