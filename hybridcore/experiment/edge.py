"""The interval of an accuracy of 0 or 100 %, which no resample ever differs from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.registry import get_aggregation

from ..wilson import wilson
from .intervals import Interval


def edge_interval(
    aggregate: Callable[[list[Any]], float],
    values: Sequence[Any] | None,
    confidence: float,
) -> Interval | None:
    """Return Wilson's interval where all documents are right, or all are wrong.

    None elsewhere, of a single document, and where the metric is no mean of zeros or
    ones: there a bootstrap has a width of its own.

    :param values: of the metric, of each document.
    """
    if aggregate is not get_aggregation("mean") or values is None or len(values) < 2:
        return None
    hits = values.count(1)
    if hits not in (0, len(values)) or hits + values.count(0) < len(values):
        return None
    return Interval(*wilson(hits, len(values), confidence))
