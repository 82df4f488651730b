"""Randomness that belongs to a row, not to the batch.

Each row has one generator, seeded by what the row is. One number is drawn for one
decision, and tokens are sampled by inverse CDF, so a row's text does not depend on
the batch size, on the order of requests or on the number of processes.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence


class Numbers:
    """The numbers in [0, 1) of one row: each is taken for one decision.

    The next one can be seen before it is known whether a decision needs it.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._next = self._random.random()

    def peek(self) -> float:
        """Return the number that :meth:`take` will give next."""
        return self._next

    def take(self) -> float:
        """Return the next number and go on to the one behind it."""
        number, self._next = self._next, self._random.random()
        return number


def row_seed(seed: int, prompt: Sequence[int], repeat: int = 0) -> int:
    """Return a seed that is the same on every machine and in every process.

    :param seed: of the whole run.
    :param prompt: token ids of the row.
    :param repeat: how often this very request occurred before.
    """
    text = f"{seed}:{repeat}:{','.join(map(str, prompt))}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def uniform_of(*facts: int) -> float:
    """Return a number in [0, 1) that is a pure function of whole numbers.

    For strategies that decide at random and must give the same verdict whenever
    they see the same row.
    """
    return random.Random(row_seed(0, facts)).random()
