"""Which requests of a call are repeats, and which are lm_eval's padding.

Where processes share a task, lm_eval's evaluator evens out their numbers of requests
by appending its last request again, the very same object. Such a copy is answered
with the original's answer and counted nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def originals(requests: Sequence[Any]) -> list[int]:
    """Return for each request its own index, or that of the one it pads.

    An ``Instance`` may stand in the list as often as its ``repeats`` say.
    """
    places: dict[int, list[int]] = {}
    counts: Counter[int] = Counter()
    result = []
    for index, request in enumerate(requests):
        seen = places.setdefault(id(request), [])
        repeats = getattr(request, "repeats", None) or 1
        if len(seen) < repeats:
            seen.append(index)
        result.append(seen[counts[id(request)] % repeats])
        counts[id(request)] += 1
    return result


def without_padding(
    requests: Sequence[Any], run: Callable[[list[Any]], list[T]]
) -> list[T]:
    """Run the originals alone; return an answer for every request."""
    origin = originals(requests)
    own = [index for index, first in enumerate(origin) if index == first]
    answers = dict(zip(own, run([requests[i] for i in own]), strict=True))
    return [answers[first] for first in origin]


def repeat_indices(names: Sequence[Hashable]) -> list[int]:
    """Return for each name how often it occurred before."""
    counts: Counter[Hashable] = Counter()
    result = []
    for name in names:
        result.append(counts[name])
        counts[name] += 1
    return result
