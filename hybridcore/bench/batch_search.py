"""Finds the batch size at which a peer is fastest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .side import Side
from .workload import Workload

SIZES = (1, 2, 4, 8, 16, 32, 64)
_SLOWER = 1.25  # than the best, twice in a row: larger ones are not tried


@dataclass(frozen=True)
class BatchSearch:
    """What was tried.

    Attributes:
        best: the fastest batch size.
        seconds: by batch size, on the sample.
        worst: largest difference of a log-likelihood between two batch sizes, in
            nats: the peer's own; None for texts.
        texts: most texts that differ between two batch sizes.
    """

    best: int
    seconds: dict[int, float]
    worst: float | None
    texts: int


def best_batch(
    side_of: Callable[[int], Side],
    sample: Workload,
    sizes: Sequence[int] = SIZES,
) -> BatchSearch:
    """Try ``sizes`` in rising order, each once warm, on ``sample``.

    :param side_of: makes a side of a batch size.
    """
    sizes = sorted(set(sizes))
    seconds: dict[int, float] = {}
    outputs: list[list[Any]] = []
    if len(sizes) == 1:
        return BatchSearch(sizes[0], {}, None, 0)
    side_of(sizes[0]).run(sample.sample(1))
    for size in sizes:
        done = side_of(size).run(sample)
        seconds[size] = done.seconds
        outputs.append(done.outputs)
        best = min(seconds.values())
        if all(s > _SLOWER * best for s in list(seconds.values())[-2:]):
            break
    first = outputs[0]
    return BatchSearch(
        best=min(seconds, key=lambda size: seconds[size]),
        seconds=seconds,
        worst=_worst(first, outputs),
        texts=max(sum(a != b for a, b in zip(first, o, strict=True)) for o in outputs)
        if isinstance(first[0], str)
        else 0,
    )


def _worst(first: Sequence[Any], outputs: Sequence[Sequence[Any]]) -> float | None:
    if isinstance(first[0], str):
        return None
    return max(
        abs(_number(a) - _number(b))
        for other in outputs
        for a, b in zip(first, other, strict=True)
    )


def _number(answer: Any) -> float:
    return float(answer[0] if isinstance(answer, tuple) else answer)
