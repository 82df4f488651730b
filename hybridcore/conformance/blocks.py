"""Blocks to verify: made by hand for all but stateful strategies, else recorded."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from .. import laws
from ..decoding.step_law import WarpLaw
from ..dispatch import Dispatcher
from ..exchange import Block, Verdict
from .pair import TablePair
from .subject import Subject

# lengths of the rows of each block, smallest first
SHAPES = ((0,), (1,), (2,), (0, 0), (1, 3), (0, 2, 1, 3), (4, 0, 1, 4, 2, 3))
SIZE = 6


def blocks(subject: Subject) -> Iterator[Block]:
    """Yield blocks as the engine makes them, the smallest first."""
    if "start" in subject.hooks:
        yield from _recorded(subject)
        return
    for number, lengths in enumerate(SHAPES):
        yield random_block(subject, lengths, seed=number)


def random_block(
    subject: Subject, lengths: Sequence[int], seed: int, size: int = SIZE
) -> Block:
    """Return a block of unrelated laws; every other row ends with an ask."""
    generator = torch.Generator().manual_seed(seed)
    count, width = len(lengths), max(lengths)
    q_logits, p_logits = (
        torch.randn(2, count, width + 1, size, generator=generator) * 1.5
    )
    uniform = torch.rand(count, width, generator=generator, dtype=torch.float64)
    drawn = torch.rand(count, width, generator=generator)
    q = q_logits.softmax(-1)
    drafted = laws.sample(q[:, :width], drawn)
    if drafts_itself(subject):
        q[:, :width] = laws.one_hot(drafted, size)
        # the SLM is read once for all that are drafted in one go
        q_logits[:, 1:width] = torch.nan
    asks = reads_slm(subject) and "route_token" in subject.hooks
    return _blank_padding(
        Block(
            drafted=drafted,
            length=torch.tensor(lengths),
            q=q,
            p=p_logits.softmax(-1),
            q_logits=q_logits if reads_slm(subject) else None,
            p_logits=p_logits,
            asked=torch.tensor([asks and i % 2 == 1 for i in range(count)]),
            uniform=uniform,
            states=[None] * count,
        )
    )


def drafts_itself(subject: Subject) -> bool:
    """Tell whether its drafts are certain, not drawn from the SLM's law."""
    return "draft" in subject.hooks or not reads_slm(subject)


def reads_slm(subject: Subject) -> bool:
    """Tell whether the SLM runs for it."""
    return "slm" in subject.cls.requires


def _blank_padding(block: Block) -> Block:
    """Return the block with what the engine has where it has nothing."""
    positions = torch.arange(block.drafted.shape[1] + 1)
    inside = block.inside()
    last = (positions == block.length[:, None]) & block.asked[:, None]
    made = (positions < block.length[:, None]) | last
    logits = block.q_logits
    return replace(
        block,
        drafted=block.drafted * inside,
        uniform=block.uniform * inside,
        q=_blank(block.q, made, 0.0),
        p=_blank(block.p, positions <= block.length[:, None], 0.0),
        q_logits=None if logits is None else _blank(logits, made, torch.nan),
        p_logits=_blank(block.p_logits, positions <= block.length[:, None], 0.0),
    )


def _blank(values: Tensor, where: Tensor, empty: float) -> Tensor:
    return torch.where(where[..., None], values, torch.full_like(values, empty))


def row_of(block: Block, i: int) -> Block:
    """Return one row of a block alone, no wider than it is long."""
    n = int(block.length[i])
    return replace(
        block,
        drafted=block.drafted[i : i + 1, :n],
        length=block.length[i : i + 1],
        q=block.q[i : i + 1, : n + 1],
        p=block.p[i : i + 1, : n + 1],
        q_logits=None if block.q_logits is None else block.q_logits[i : i + 1, : n + 1],
        p_logits=block.p_logits[i : i + 1, : n + 1],
        asked=block.asked[i : i + 1],
        uniform=block.uniform[i : i + 1, :n],
        states=[block.states[i]],
    )


def turned(block: Block) -> Block:
    """Return the block with its rows in the opposite order."""
    return replace(
        block,
        **{
            name: getattr(block, name).flip(0)
            for name in ("drafted", "length", "q", "p", "p_logits", "asked", "uniform")
        },
        q_logits=None if block.q_logits is None else block.q_logits.flip(0),
        states=list(block.states)[::-1],
    )


def copied(block: Block) -> Block:
    """Return a block that shares nothing with this one, its states included."""
    values = {field.name: getattr(block, field.name) for field in fields(Block)}
    tensors = {n: v.clone() for n, v in values.items() if isinstance(v, Tensor)}
    return Block(**{**values, **tensors, "states": copy.deepcopy(list(block.states))})


def described(block: Block) -> str:
    """Return the block in words, short."""

    def short(values: Tensor) -> str:
        return str([[round(x, 3) for x in row] for row in values.tolist()])

    text = (
        f"block of {len(block.length)} rows, V = {block.p.shape[-1]}: "
        f"drafted {block.drafted.tolist()}, length {block.length.tolist()}, "
        f"asked {block.asked.tolist()}"
    )
    if len(block.length) == 1 and block.drafted.shape[1] <= 2:
        text += f", uniform {short(block.uniform)}"
        text += f", q {short(block.q[0])}, p {short(block.p[0])}"
    return text


class _Recorder(Dispatcher):
    """Keeps a copy of every block that is judged."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher.strategy)
        self.seen: list[Block] = []

    def unread_verdict(self, block: Block) -> Verdict | None:
        self.seen.append(copied(block))
        return super().unread_verdict(block)


def _recorded(subject: Subject) -> Iterator[Block]:
    recorder = _Recorder(subject.dispatcher())
    pair = TablePair.random(SIZE, seed=2)
    prompts = [[i] for i in range(6)]
    pair.run(recorder, prompts, [1, 2, 3, 9, 9, 9], law=WarpLaw(1.0), batch=6)
    yield from sorted(recorder.seen, key=lambda block: block.drafted.numel())
