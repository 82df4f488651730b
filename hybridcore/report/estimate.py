"""A measured number with the interval it may lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..wilson import wilson

CONFIDENCE = 0.95
_RESAMPLES = 1000
_BATCH_ELEMENTS = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A value, and the ends of its interval; None where there is no interval.

    One document has none: nothing is known of how much documents differ.
    """

    value: float
    low: float | None = None
    high: float | None = None
    documents: int = 0

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of the interval, where both are known."""
        if self.low is None or self.high is None:
            return None
        return self.low, self.high


def mean(values: Sequence[float]) -> Estimate | None:
    """Estimate a mean over documents: Wilson's interval for zeros and ones, else a
    percentile bootstrap. None where there is no document.
    """
    if not values:
        return None
    count, value = len(values), float(np.mean(values))
    if count == 1:
        return Estimate(value, documents=1)
    if set(values) <= {0.0, 1.0}:
        return Estimate(value, *wilson(int(sum(values)), count, CONFIDENCE), count)
    return _bootstrapped(np.asarray(values, float), np.ones(count), value)


def ratio(parts: Sequence[int], wholes: Sequence[int]) -> Estimate | None:
    """Estimate ``sum(parts) / sum(wholes)`` by a bootstrap over documents."""
    above, below = np.asarray(parts, float), np.asarray(wholes, float)
    above, below = above[below > 0], below[below > 0]
    if not len(below):
        return None
    value = float(above.sum() / below.sum())
    if len(below) == 1:
        return Estimate(value, documents=1)
    return _bootstrapped(above, below, value)


def _bootstrapped(
    above: NDArray[np.float64], below: NDArray[np.float64], value: float
) -> Estimate:
    def statistic(
        a: NDArray[np.float64], b: NDArray[np.float64], axis: int = -1
    ) -> NDArray[np.float64]:
        result: NDArray[np.float64] = a.sum(axis) / b.sum(axis)
        return result

    found = stats.bootstrap(
        (above, below),
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=max(1, _BATCH_ELEMENTS // len(above)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    ends = found.confidence_interval
    return Estimate(value, float(ends.low), float(ends.high), len(above))
