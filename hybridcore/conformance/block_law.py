"""The law of what a verdict emits, integrated over the random numbers it is given.

``verify`` is a function of a block, and a block's numbers are uniform. So instead of
drawing them, all drafts and a grid of numbers are judged in one call and weighted.
For laws in sixteenths the grid is exact for every threshold of rejection sampling.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import laws
from ..dispatch import Dispatcher
from ..exchange import Block

GRID = 32


@dataclass(frozen=True)
class Tables:
    """Laws ``[V, V]`` behind each token: ``q`` of the SLM, ``p`` of the LLM."""

    q: Tensor
    p: Tensor

    @classmethod
    def random(cls, seed: int, size: int = 4) -> Tables:
        """Return laws in sixteenths; those of q are powers of two."""
        generator = torch.Generator().manual_seed(seed)
        ladder = torch.tensor([8.0, 4.0, 2.0, 2.0])
        q = torch.stack(
            [ladder[torch.randperm(size, generator=generator)] for _ in range(size)]
        )
        picks = torch.randint(0, size, (size, 16), generator=generator)
        p = torch.stack([torch.bincount(row, minlength=size).float() for row in picks])
        return cls(q / 16, p / 16)

    @classmethod
    def disjoint(cls, size: int = 4) -> Tables:
        """Return laws that share no token: q has the lower ids, p the upper ones."""
        q = torch.zeros(size, size)
        q[:, : size // 2] = 2 / size
        return cls(q, q.flip(1))


def every_block(tables: Tables, length: int, point: bool, asked: bool) -> Block:
    """Return all drafts of ``length`` tokens behind token 0, times the grid.

    :param point: each draft is certain: q is a point mass on it.
    :param asked: the SLM has made a law behind the drafts, too.
    """
    size = len(tables.q)
    drafts = torch.tensor(list(itertools.product(range(size), repeat=length)))
    drafts = drafts.reshape(size**length, length).long()
    middle = (torch.arange(GRID, dtype=torch.float64) + 0.5) / GRID
    grid = torch.tensor(list(itertools.product(middle.tolist(), repeat=length)))
    grid = grid.reshape(GRID**length, length).double()
    drafted = drafts.repeat_interleave(len(grid), 0)
    before = torch.cat([torch.zeros(len(drafted), 1).long(), drafted], dim=1)
    q, p = tables.q[before], tables.p[before]
    if point:
        q[:, :length] = laws.one_hot(drafted, size)
    if not asked:
        q[:, length] = 0.0
    return Block(
        drafted=drafted,
        length=torch.full((len(drafted),), length),
        q=q,
        p=p,
        q_logits=q.log(),
        p_logits=p.log(),
        asked=torch.full((len(drafted),), asked),
        uniform=grid.repeat(len(drafts), 1),
        states=[None] * len(drafted),
    )


def emitted(dispatcher: Dispatcher, tables: Tables, block: Block) -> Tensor:
    """Return the law ``[drafts, V ** (K + 1)]`` of the next K + 1 tokens by draft.

    What follows a block that was cut short, or emits no token behind its drafts, is
    drawn from p, as a lossless strategy would go on.
    """
    length, size = block.drafted.shape[1], len(tables.p)
    verdict = dispatcher.verify(block)
    accepted = block.length if verdict is None else verdict.accepted
    following = laws.at(block.p, accepted)
    if verdict is not None and verdict.next_law is not None:
        emits = verdict.next_law.sum(-1, keepdim=True) > 0
        following = torch.where(emits, verdict.next_law, following)
    texts = torch.tensor(list(itertools.product(range(size), repeat=length + 1)))
    weight = torch.ones(len(block.drafted), len(texts), dtype=torch.float64)
    for k in range(length + 1):
        before = texts[:, k - 1] if k else torch.zeros(len(texts)).long()
        from_p = tables.p[before, texts[:, k]].double()[None]
        chosen = following[:, texts[:, k]].double()
        kept = (accepted > k)[:, None]
        if k < length:
            same = block.drafted[:, k : k + 1] == texts[None, :, k]
            weight *= torch.where(
                kept, same.double(), _behind(accepted, k, chosen, from_p)
            )
        else:
            weight *= _behind(accepted, k, chosen, from_p)
    return weight.reshape(size**length, -1, len(texts)).mean(1)


def _behind(accepted: Tensor, k: int, chosen: Tensor, from_p: Tensor) -> Tensor:
    return torch.where((accepted == k)[:, None], chosen, from_p)


def target(tables: Tables, length: int) -> Tensor:
    """Return the law ``[V ** (K + 1)]`` of p itself, in the order of the above."""
    size = len(tables.p)
    law = torch.ones(1, dtype=torch.float64)
    last = torch.zeros(1).long()
    for _ in range(length + 1):
        law = (law[:, None] * tables.p[last].double()).flatten()
        last = torch.arange(size).repeat(len(last))
    return law


def draft_weights(tables: Tables, length: int) -> Tensor:
    """Return the probability ``[V ** K]`` of each draft under q."""
    law, last = torch.ones(1, dtype=torch.float64), torch.zeros(1).long()
    for _ in range(length):
        law = (law[:, None] * tables.q[last].double()).flatten()
        last = torch.arange(len(tables.q)).repeat(len(last))
    return law
