"""Timed rounds: every side once in each, so that all meet the same machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tqdm import tqdm

from .side import Side
from .workload import Workload


def interleaved(
    sides: Sequence[Side],
    workload: Workload,
    rounds: int,
    between: Callable[[], object] = lambda: None,
) -> list[list[float]]:
    """Return the seconds of each side, one number a round.

    :param between: called once a round, for measurements of the machine.
    """
    seconds: list[list[float]] = [[] for _ in sides]
    bar = tqdm(total=rounds * len(sides), desc=workload.name, disable=None)
    with bar:
        for _ in range(rounds):
            between()
            for side, values in zip(sides, seconds, strict=True):
                values.append(side.run(workload).seconds)
                bar.update()
    return seconds
