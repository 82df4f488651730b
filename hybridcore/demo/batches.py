"""Training batches: problems as padded rows of token ids and loss weights."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch

from .language import problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

QUESTION_WEIGHT = 0.2
SEPARATOR = "\n\n"
ROWS = 32
LONG_EVERY = 8
LONG_DOCUMENTS = 7


class Batch(NamedTuple):
    """``ids[B, L]`` int64, and ``weights[B, L]`` float32, zero where not learned."""

    ids: torch.Tensor
    weights: torch.Tensor


class Row:
    """Token ids and loss weights of one training sequence."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> None:
        self.tokenizer = tokenizer
        self.rng = rng
        self.ids: list[int] = []
        self.weights: list[float] = []
        # Texts are met with and without the token that stands for their beginning.
        if rng.random() < 0.5:
            self._add([tokenizer.bos_token_id], 0.0)

    def write(self, documents: int) -> Row:
        """Add that many problems, then the end token."""
        for index in range(documents):
            if index:
                # An answer is followed by the end; examples in a prompt are given.
                self._add(self.tokenizer.encode(SEPARATOR), 0.0)
            drawn = problem(self.rng, held_out=False)
            self._add(self.tokenizer.encode(drawn.prompt), QUESTION_WEIGHT)
            self._add(self.tokenizer.encode(drawn.solution), 1.0)
        self._add([self.tokenizer.eos_token_id], 1.0)
        return self

    def _add(self, ids: list[int], weight: float) -> None:
        self.ids += ids
        self.weights += [weight] * len(ids)


def batches(tokenizer: PreTrainedTokenizerFast, seed: int) -> Iterator[Batch]:
    """Batches without end; every ``LONG_EVERY``-th holds rows of several problems."""
    rng = random.Random(seed)
    while True:
        # Rows of like length share a batch, so that little is padded.
        pool = [Row(tokenizer, rng).write(1) for _ in range(ROWS * (LONG_EVERY - 1))]
        pool.sort(key=lambda row: len(row.ids))
        groups = [pool[at : at + ROWS] for at in range(0, len(pool), ROWS)]
        few = ROWS // LONG_DOCUMENTS
        groups.append([Row(tokenizer, rng).write(LONG_DOCUMENTS) for _ in range(few)])
        rng.shuffle(groups)
        for group in groups:
            yield _padded(group, tokenizer.pad_token_id)


def _padded(rows: list[Row], pad: int) -> Batch:
    longest = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), longest), pad)
    weights = torch.zeros(len(rows), longest)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
        weights[index, : len(row.ids)] = torch.tensor(row.weights)
    return Batch(ids, weights)
