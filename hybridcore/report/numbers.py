"""Numbers as a reader wants them."""

from __future__ import annotations

from .estimate import Estimate

NONE = "\N{EN DASH}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return ``"12.3 %"``."""
    return NONE if value is None else f"{100 * value:.{digits}f} %"


def plain(value: float | None) -> str:
    """Return four digits that mean something."""
    return NONE if value is None else f"{value:.4g}"


def count(value: object) -> str:
    """Return ``"1,234"``."""
    return f"{value:,}" if isinstance(value, int) else NONE


def number(value: float | None, as_percent: bool) -> str:
    """Return a metric's value."""
    return percent(value) if as_percent else plain(value)


def fixed(estimate: Estimate, digits: int) -> tuple[str, str]:
    """Return a value and its interval, as ``("0.93", "0.91 to 0.96")``."""
    said = f"{estimate.value:.{digits}f}"
    if estimate.ends is None:
        return said, interval(estimate, False)
    low, high = estimate.ends
    return said, f"{low:.{digits}f} to {high:.{digits}f}"


def interval(estimate: Estimate | None, as_percent: bool) -> str:
    """Return ``"90.1 to 97.4"``, or why there is none."""
    if estimate is None:
        return ""
    if estimate.ends is None:
        return "one document: no interval" if estimate.documents == 1 else "no interval"
    low, high = estimate.ends
    if as_percent:
        return f"{100 * low:.1f} to {100 * high:.1f}"
    return f"{low:.4g} to {high:.4g}"
