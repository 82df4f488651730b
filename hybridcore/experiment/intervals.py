"""Bootstrap intervals over documents, the same resamples for everything compared.

Percentile intervals (Efron 1979) of scipy. What is resampled are documents, never
tokens or requests: those of one document are not independent. Since all statistics
see the same documents in each resample, differences of cells are paired.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, bootstrap

Indices: TypeAlias = NDArray[np.int64]
Statistic: TypeAlias = Callable[[Indices], NDArray[np.float64]]

_HELD = 2**22  # indices in memory at once


@dataclass(frozen=True, slots=True)
class Interval:
    """Lower and upper bound; None where nothing can be said of the spread."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Resampling:
    """Resamples ``documents`` documents with replacement.

    :param seed: the same seed gives the same resamples.
    """

    documents: int
    resamples: int
    confidence: float
    seed: int

    def interval(self, statistic: Statistic) -> Interval:
        """Return the interval of a statistic; none of a single document.

        :param statistic: from indices of documents ``[..., N]`` to values ``[...]``.
        """
        if self.documents < 2:
            return Interval()
        with warnings.catch_warnings():
            # a statistic without a value in some resample has no interval here
            warnings.simplefilter("ignore", DegenerateDataWarning)
            found = self._bootstrap(statistic).confidence_interval
        low, high = float(found.low), float(found.high)
        return Interval(low, high) if np.isfinite([low, high]).all() else Interval()

    def _bootstrap(self, statistic: Statistic) -> Any:
        return bootstrap(
            (np.arange(self.documents),),
            lambda indices, axis=-1: statistic(np.moveaxis(indices, axis, -1)),
            n_resamples=self.resamples,
            batch=max(1, _HELD // self.documents),
            vectorized=True,
            axis=-1,
            confidence_level=self.confidence,
            method="percentile",
            rng=np.random.default_rng(self.seed),
        )


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> Statistic:
    """Return the statistic ``sum(part) / sum(whole)``, NaN where that is 0 / 0."""

    def statistic(indices: Indices) -> NDArray[np.float64]:
        above, below = part[indices].sum(-1), whole[indices].sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(above / below)

    return statistic


def difference(one: Statistic, other: Statistic) -> Statistic:
    """Return the statistic ``one - other``, paired by document."""
    return lambda indices: one(indices) - other(indices)


def kept(statistic: Statistic) -> Statistic:
    """Return the same statistic, worked out once for the same indices."""
    known: dict[tuple[tuple[int, ...], bytes], NDArray[np.float64]] = {}

    def keeping(indices: Indices) -> NDArray[np.float64]:
        key = indices.shape, hashlib.blake2b(indices.tobytes()).digest()
        if key not in known:
            known[key] = np.asarray(statistic(indices))
        return known[key]

    return keeping
