"""Stacks the drafts of ragged rows into the block that ``verify`` sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import laws
from ..exchange import Block
from .row import Row


def block_of(rows: Sequence[Row], logits: Tensor, law: Tensor) -> Block:
    """Build the block of B rows from what the LLM just gave.

    ``logits`` and ``law`` are ``[sum(len(drafts) + 1), V]``, row after row.
    """
    lengths = [len(row.drafts) for row in rows]
    width = max(lengths)
    device = law.device
    drafted = torch.zeros(len(rows), width, dtype=torch.long)
    uniform = torch.zeros(len(rows), width, dtype=torch.float64)
    for i, row in enumerate(rows):
        if row.drafts:
            drafted[i, : lengths[i]] = torch.tensor([d.token for d in row.drafts])
            numbers = [row.random.random() for _ in row.drafts]
            uniform[i, : lengths[i]] = torch.tensor(numbers, dtype=torch.float64)
    q, q_logits = _slm_side(rows, width, law)
    return Block(
        drafted=drafted.to(device),
        length=torch.tensor(lengths, device=device),
        q=q,
        p=_padded(law, lengths),
        q_logits=q_logits,
        p_logits=_padded(logits, lengths),
        asked=torch.tensor([row.asked for row in rows], device=device),
        uniform=uniform.to(device),
        states=[row.state for row in rows],
    )


def _padded(flat: Tensor, lengths: Sequence[int]) -> Tensor:
    """Spread ``[sum(length + 1), V]`` over ``[B, max(length) + 1, V]``."""
    result = flat.new_zeros(len(lengths), max(lengths) + 1, flat.shape[-1])
    start = 0
    for i, length in enumerate(lengths):
        result[i, : length + 1] = flat[start : start + length + 1]
        start += length + 1
    return result


def _slm_side(
    rows: Sequence[Row], width: int, like: Tensor
) -> tuple[Tensor, Tensor | None]:
    size = like.shape[-1]
    q = like.new_zeros(len(rows), width + 1, size)
    q_logits = torch.zeros_like(q)
    complete = True
    for i, row in enumerate(rows):
        for k, draft in enumerate(row.drafts):
            if draft.law is None:
                q[i, k] = laws.one_hot(torch.tensor(draft.token, device=q.device), size)
            else:
                q[i, k] = draft.law
            if draft.logits is None:
                complete = False
            else:
                q_logits[i, k] = draft.logits
        if row.asked_law is not None and row.asked_logits is not None:
            q[i, len(row.drafts)] = row.asked_law
            q_logits[i, len(row.drafts)] = row.asked_logits
    return q, q_logits if complete else None
