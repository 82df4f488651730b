"""The interval of a part that is counted, for accuracies of 0 and 100 % too."""

from __future__ import annotations

from scipy.stats import binomtest


def wilson(hits: int, count: int, confidence: float) -> tuple[float, float]:
    """Return the ends of Wilson's score interval of ``hits / count``.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    JASA 22 (1927). Unlike a bootstrap it has a width where all or none are hits.

    :param count: at least 1.
    """
    ends = binomtest(hits, count).proportion_ci(confidence, method="wilson")
    return float(ends.low), float(ends.high)
