"""Medians and what lies around them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The median of several measurements, with the least and the greatest."""

    median: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """Write ``median (low..high)``, each number by ``spec``."""
        low, middle, high = (
            format(x, spec) for x in (self.low, self.median, self.high)
        )
        return f"{middle} ({low}..{high})"


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Return the spread of the quotients of each round.

    The two were measured one after the other, so what slowed the machine down slowed
    both; the median of quotients is steadier than the quotient of medians.
    """
    return spread([a / b for a, b in zip(over, under, strict=True)])
