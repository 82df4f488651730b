"""How much of the gap between the two models is recovered, at what share of the LLM.

The measures of RouteLLM (Ong et al., arXiv 2406.18665), token by token: PGR, the
performance gap recovered; APGR, its average over all shares of the LLM; CPT(x), the
share at which a fraction x of the gap is recovered. A curve always ends in the SLM
alone at share 0 and in the LLM alone at share 1: without these ends its area would
depend on which thresholds were tried. Between points it is straight, and as it need
not rise everywhere, CPT is the first share at which it is high enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

Floats = NDArray[np.float64]


def pgr(lag: Floats, weak_lag: Floats) -> Floats:
    """Return ``(value - weak) / (strong - weak)``, NaN or infinite without a gap.

    :param lag: ``value - strong``; ``weak_lag`` is ``weak - strong``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - lag / weak_lag)


def pinned(shares: Floats, recovered: Floats) -> tuple[Floats, Floats]:
    """Return a curve of K points with its two ends, sorted by share.

    :param shares, recovered: ``[K, ...]`` LLM share and PGR of each point.
    :return: both ``[K + 2, ...]``.
    """
    ends = np.zeros((1, *shares.shape[1:])), np.ones((1, *shares.shape[1:]))
    x = np.concatenate([ends[0], shares, ends[1]])
    y = np.concatenate([ends[0], recovered, ends[1]])
    order = np.lexsort((y, x), axis=0)
    return np.take_along_axis(x, order, 0), np.take_along_axis(y, order, 0)


def apgr(x: Floats, y: Floats) -> Floats:
    """Return the area under pinned curves, ``[...]``."""
    return np.asarray(trapezoid(y, x, axis=0))


def cpt(x: Floats, y: Floats, level: float) -> Floats:
    """Return the first share at which pinned curves reach ``level``, ``[...]``.

    0 < level <= 1.
    """
    reached = (y >= level).argmax(0)[None]
    before = np.maximum(reached - 1, 0)
    x0, x1 = (np.take_along_axis(x, at, 0)[0] for at in (before, reached))
    y0, y1 = (np.take_along_axis(y, at, 0)[0] for at in (before, reached))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(x0 + (x1 - x0) * (level - y0) / (y1 - y0))
