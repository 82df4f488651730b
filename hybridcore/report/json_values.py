"""Values of JSON that others wrote: of the type that is expected, or empty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_ENDLESS = 2**63  # no count comes to that


def table(value: Any) -> Mapping[str, Any]:
    """Return an object as it is, anything else as an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """Return a list, or the values of an object, anything else as an empty list."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []


def tables(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects in a list."""
    return [item for item in items(value) if isinstance(item, Mapping)]


def number(value: Any) -> float | None:
    """Return a finite number; None for anything else."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int:
    """Return a count; 0 for anything else."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value < _ENDLESS else 0
