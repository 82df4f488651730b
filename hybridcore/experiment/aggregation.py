"""The value of a metric on any documents, as lm_eval aggregates it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from lm_eval.api.registry import get_aggregation
from numpy.typing import NDArray

from .intervals import Indices, Statistic, kept

Floats = NDArray[np.float64]


def statistic_of(
    aggregate: Callable[[list[Any]], float], values: Sequence[Any]
) -> Statistic:
    """Return the metric as a statistic of documents ``[..., N]``.

    lm_eval's usual aggregations are done for all resamples at once. Any other is called
    once for each, and its values are kept: all statistics of a cell ask for the same
    resamples again.
    """
    fast = {get_aggregation(name): make for name, make in _FAST.items()}
    if aggregate in fast:
        return fast[aggregate](np.asarray(values, float))
    return kept(
        lambda indices: np.apply_along_axis(
            lambda some: float(aggregate([_given(values[i]) for i in some])),
            -1,
            indices,
        )
    )


def _mean(values: Floats) -> Statistic:
    return lambda indices: np.asarray(values[indices].mean(-1))


def _perplexity(values: Floats) -> Statistic:
    return lambda indices: np.exp(-values[indices].mean(-1))


def _weighted(values: Floats, indices: Indices) -> Floats:
    total: Floats = values[indices].sum(-2)
    return np.asarray(total[..., 0] / total[..., 1])


def _weighted_perplexity(values: Floats) -> Statistic:
    return lambda indices: np.exp(-_weighted(values, indices))


def _bits_per_byte(values: Floats) -> Statistic:
    return lambda indices: -_weighted(values, indices) / math.log(2)


_FAST: dict[str, Callable[[Floats], Statistic]] = {
    "mean": _mean,
    "perplexity": _perplexity,
    "weighted_perplexity": _weighted_perplexity,
    "bits_per_byte": _bits_per_byte,
}


def _given(value: Any) -> Any:
    # JSON made a list of the tuples that some aggregations want
    return tuple(value) if isinstance(value, list) else value
