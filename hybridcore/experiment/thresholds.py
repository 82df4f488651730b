"""Thresholds at even shares of the LLM, from signals that were recorded once."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from .family import Family


def even_thresholds(family: Family, signals: Tensor, points: int) -> list[float]:
    """Return up to ``points`` thresholds, by rising share of the LLM.

    The shares aimed at are 1/(points + 1), 2/(points + 1), ...: the ends of a curve,
    0 and 1, are the two models alone. Signals that have few values give fewer.
    """
    shares = np.arange(1, points + 1) / (points + 1)
    return list(dict.fromkeys(threshold_at(family, signals, s) for s in shares))


def threshold_at(family: Family, signals: Tensor, share: float) -> float:
    """Return the threshold at which the share of signals that ask is ``share``.

    Where none gives it exactly, the share is the next one below.
    """
    values = np.sort(signals.numpy())
    rank = math.floor(share * len(values) + 1e-9)  # how many are to ask
    place = len(values) - rank - 1 if family.above else rank
    return readable(values[min(max(place, 0), len(values) - 1)])


def readable(threshold: np.float32) -> float:
    """Return the shortest number that is the same in float32, as signals are."""
    return float(str(np.float32(threshold)))
