"""Values that a parameter runs through: ``threshold=0.1:0.9:9``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError

_DIGITS = 12  # 0.3, not 0.30000000000000004


def parameter(text: str) -> tuple[str, tuple[Any, ...]]:
    """Read ``name=first:last:count``, ``name=value,value,...`` or ``name``.

    :return: the name and its values, none where they are to be chosen.
    :raises ArgumentError: it is none of these.
    """
    name, given, values = text.partition("=")
    if not name.strip():
        raise ArgumentError(
            f"param {text!r}: expected name=first:last:count or name=value,value"
        )
    return name.strip(), span(text, values) if given else ()


def span(text: str, values: str) -> tuple[Any, ...]:
    """Return the values that ``first:last:count`` or ``value,value`` stand for."""
    parts = values.split(":")
    if len(parts) == 1:
        return tuple(value.strip() for value in values.split(","))
    try:
        first, last, count = float(parts[0]), float(parts[1]), int(parts[2])
        if count < 1 or len(parts) != 3:
            raise ValueError(values)
    except (ValueError, IndexError):
        raise ArgumentError(
            f"param {text!r}: expected first:last:count, two numbers and how many"
        ) from None
    return tuple(round(float(v), _DIGITS) for v in np.linspace(first, last, count))
