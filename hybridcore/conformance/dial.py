"""The option that decides how often the LLM is asked, and the values to try."""

from __future__ import annotations

from ..options import option_fields
from .subject import Subject

# options of these names turn routing on and off: see ROUTE-8 and ROUTE-9
DIALS = ("threshold", "fraction")
FAR = 1e9  # beyond every signal, where an option has no end of its own


def dial(subject: Subject) -> str | None:
    """Return the option's name, None where there is none."""
    return next((name for name in DIALS if name in option_fields(subject.cls)), None)


def ends(subject: Subject, name: str) -> tuple[float, float]:
    """Return the lowest and the highest value it takes."""
    spec = option_fields(subject.cls)[name].metadata["option"]
    low = -FAR if spec.minimum is None else float(spec.minimum)
    return low, FAR if spec.maximum is None else float(spec.maximum)


def grid(subject: Subject, name: str) -> list[float]:
    """Return values around the one examined, and the ends, rising."""
    low, high = ends(subject, name)
    middle = float(subject.instance().options()[name])
    inner = [middle + shift for shift in (-0.5, -0.1, 0.0, 0.1, 0.5)]
    return sorted({low, *(value for value in inner if low < value < high), high})
