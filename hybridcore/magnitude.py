"""Large numbers, short."""

from __future__ import annotations


def magnitude(value: float) -> str:
    """Return three digits and a unit: ``"4.84 M"``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"
