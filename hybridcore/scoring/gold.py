"""Log-probabilities of the gold tokens, a bounded piece of logits at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..models.finite import check_finite
from .page import Page

# elements of one [N, V] piece: 32 MiB in float32, 55 positions of V = 150,000
PIECE = 2**23


def piece_of(vocab_size: int) -> int:
    """Return how many positions of ``vocab_size`` logits to hold at once."""
    return max(1, PIECE // vocab_size)


def gold_scores(
    page: Page,
    rows: Sequence[int],
    gold: Sequence[int],
    dtype: torch.dtype | None = None,
    width: int | None = None,
    role: str | None = None,
) -> tuple[Tensor, Tensor]:
    """Score N gold tokens, each by the law of one row of a page.

    Rows may repeat; the softmax of each is taken once. ``dtype`` is the type of
    the softmax, ``width`` the number of columns it runs over. Where ``role`` is given,
    a model whose logits are not finite is refused under that name.

    :return: ``[N]`` log-probabilities and ``[N]`` bool, True where the gold token
        is the argmax; both on the CPU.
    """
    unique, inverse = torch.unique(torch.tensor(rows), return_inverse=True)
    wanted = torch.tensor(gold)
    size = piece_of(page.width)
    values = torch.empty(len(wanted), dtype=dtype or torch.float32)
    hits = torch.empty(len(wanted), dtype=torch.bool)
    for start in range(0, len(unique), size):
        piece = page.logits(unique[start : start + size])[:, :width]
        if role is not None:
            check_finite(role, piece.amax(-1).tolist())
        law = piece.log_softmax(-1, dtype=dtype)
        inside = ((inverse >= start) & (inverse < start + size)).nonzero()[:, 0]
        at = (inverse[inside] - start).to(law.device)
        token = wanted[inside].to(law.device)
        if not start:
            values = values.to(law.dtype)
        values[inside] = law[at, token].cpu()
        # the same index as argmax gives, in half of its time
        hits[inside] = (law.max(-1).indices[at] == token).cpu()
    return values, hits
