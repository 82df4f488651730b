"""Lets every cell begin with nothing read, whatever ran before it."""

from __future__ import annotations

from ..harness.pair import Pair
from ..models.runner import CausalRunner

_ANY = (0,)  # a single token is never looked for


def forget_texts(pair: Pair) -> None:
    """Empty all slots, so that no count depends on the order of cells."""
    for runner in pair.runners().values():
        _empty(runner)


def _empty(runner: CausalRunner) -> None:
    taken = []
    while True:
        try:
            taken.append(runner.acquire(_ANY)[0])
        except RuntimeError:  # all slots are taken
            break
        runner.rollback(taken[-1], 0)
    for slot in taken:
        runner.release(slot)
