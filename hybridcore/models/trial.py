"""Plays the same turns on two runners and says how far apart their logits are.

The unit is the spread of the logits: the root mean square of the differences at a
position over the standard deviation of its logits across the vocabulary.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from ..precision import widest_float
from .attention import SHORT
from .runner import CausalRunner, Feed

_MOST_TOKENS = 1000  # ids drawn from; the first of every vocabulary are in use


def short_trial(fast: CausalRunner, slow: CausalRunner) -> Tensor:
    """Read ragged prompts, junk and corrections; return the error of each position.

    Rows are left out, taken in any order and rolled back; both runners have three
    free slots. One prompt and one turn are long enough for every way of attending.
    """
    draw = Draw(fast.vocab_size)
    prompts = [draw(7), draw(3), draw(SHORT + 5)]
    _enter(fast, slow, prompts)
    turns = [
        [Feed(i, prompt, 2) for i, prompt in enumerate(prompts)],
        [Feed(0, draw(4), 4), Feed(1, draw(1), 1), Feed(2, draw(2), 2)],
        [Feed(2, draw(1), 1), Feed(0, draw(3), 2)],
        [Feed(1, draw(SHORT + 1), 5)],
        [Feed(0, draw(1)), Feed(1, draw(1)), Feed(2, draw(1))],
    ]
    found = []
    for turn in turns:
        found.append(errors(fast.forward(turn), slow.forward(turn)))
        for feed in turn[:2]:
            length = fast.length(feed.slot) - draw.below(2)
            fast.rollback(feed.slot, length)
            slow.rollback(feed.slot, length)
    return torch.cat(found)


def long_trial(fast: CausalRunner, slow: CausalRunner, length: int) -> Tensor:
    """Read one long and one shorter row; return the errors at their ends."""
    draw = Draw(fast.vocab_size)
    prompts = [draw(length), draw(length // 2)]
    _enter(fast, slow, prompts)
    turns = [
        [Feed(i, prompt, 4) for i, prompt in enumerate(prompts)],
        [Feed(i, draw(4), 4) for i in range(2)],
    ]
    return torch.cat([errors(fast.forward(t), slow.forward(t)) for t in turns])


def causality_error(slow: CausalRunner) -> float:
    """Return how much later tokens move the logits of earlier ones, at the median.

    Nothing but rounding for a causal LM; what rounding does to this model in its
    type and on its device is thereby known.
    """
    draw = Draw(slow.vocab_size)
    text, later = draw(12), draw(5)
    slot, _ = slow.acquire(text)
    alone = slow.forward([Feed(slot, text, len(text))])
    slow.rollback(slot, 0)
    followed = slow.forward([Feed(slot, [*text, *later], len(text) + len(later))])
    slow.release(slot)
    return errors(followed[: len(text)], alone).median().item()


def errors(found: Tensor, expected: Tensor) -> Tensor:
    """Return the error of each of ``[N, V]`` logits, in spreads.

    NaN where one is infinite or NaN and the other is not.
    """
    same = (found == expected) & torch.isinf(found)  # -inf where both rule a token out
    wide = widest_float(found.device)
    difference = (found - expected).masked_fill(same, 0.0).to(wide)
    kept = expected.masked_fill(same, 0.0).to(wide)
    return difference.square().mean(-1).sqrt() / kept.std(-1).clamp_min(1e-12)


class Draw:
    """Random token ids, always the same ones."""

    def __init__(self, vocab_size: int) -> None:
        self._numbers = random.Random(0)
        self._ids = min(vocab_size, _MOST_TOKENS)

    def __call__(self, count: int) -> list[int]:
        return [self._numbers.randrange(self._ids) for _ in range(count)]

    def below(self, limit: int) -> int:
        """Return a number of 0 to ``limit`` - 1."""
        return self._numbers.randrange(limit)


def _enter(
    fast: CausalRunner, slow: CausalRunner, prompts: Sequence[Sequence[int]]
) -> None:
    for prompt in prompts:
        if fast.acquire(prompt)[0] != slow.acquire(prompt)[0]:
            raise RuntimeError("runners took different slots")
