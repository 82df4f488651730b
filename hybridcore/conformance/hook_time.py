"""How long a call takes at best: other programs can only make it longer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def quickest(call: Callable[[], Any], times: int = 5) -> float:
    """Return the seconds of the quickest of ``times`` calls, after one more."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)
