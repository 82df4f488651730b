"""Log-probabilities of the gold tokens, a bounded piece of logits at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..models.finite import check_finite
from .page import Page

PIECE = 2**22  # elements of one [N, V] piece: 16 MiB in float32
LEAST = 48  # positions of a piece: with fewer, reading a wide head takes the time
LAW = 2**20  # elements of a softmax, where making it in parts costs nothing more


def piece_of(vocab_size: int) -> int:
    """Return how many positions of ``vocab_size`` logits to hold at once."""
    return max(LEAST, PIECE // vocab_size)


def gold_scores(
    page: Page,
    rows: Sequence[int],
    gold: Sequence[int],
    dtype: torch.dtype | None = None,
    width: int | None = None,
    role: str | None = None,
) -> tuple[Tensor, Tensor]:
    """Score N gold tokens, each by the law of one row of a page.

    The parameters are those of :func:`gold_and_best`.

    :return: ``[N]`` log-probabilities and ``[N]`` bool, True where the gold token
        is the argmax; both on the CPU.
    """
    values, best = gold_and_best(page, rows, gold, dtype, width, role)
    return values, best == torch.tensor(gold)


def gold_and_best(
    page: Page,
    rows: Sequence[int],
    gold: Sequence[int],
    dtype: torch.dtype | None = None,
    width: int | None = None,
    role: str | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what a page says of N gold tokens, and the tokens it likes best there.

    Rows may repeat; the softmax of each is taken once. ``dtype`` is the type of
    the softmax, ``width`` the number of columns it runs over. Where ``role`` is given,
    a model whose logits are not finite is refused under that name.

    :return: ``[N]`` log-probabilities and ``[N]`` int64; both on the CPU.
    """
    unique, inverse = torch.unique(torch.tensor(rows), return_inverse=True)
    wanted = torch.tensor(gold)
    values = torch.empty(len(wanted), dtype=dtype or torch.float32)
    best = torch.empty(len(wanted), dtype=torch.long)
    for start, law in _log_laws(page, unique, dtype, width, role):
        inside = ((inverse >= start) & (inverse < start + len(law))).nonzero()[:, 0]
        at = (inverse[inside] - start).to(law.device)
        if not start:
            values = values.to(law.dtype)
        values[inside] = law[at, wanted[inside].to(law.device)].cpu()
        # the same index as argmax gives, in half of its time
        best[inside] = law.max(-1).indices[at].cpu()
    return values, best


def _log_laws(
    page: Page,
    rows: Tensor,
    dtype: torch.dtype | None,
    width: int | None,
    role: str | None,
) -> Iterator[tuple[int, Tensor]]:
    """Yield the number of a row of ``rows [n]``, and ``[few, width]`` from there on."""
    size = piece_of(page.width)
    for start in range(0, len(rows), size):
        piece = page.logits(rows[start : start + size])[:, :width]
        if role is not None:
            check_finite(role, piece.amax(-1).tolist())
        few = max(1, LAW // page.width) if piece.device.type == "cpu" else size
        for first in range(0, len(piece), few):
            law = piece[first : first + few].log_softmax(-1, dtype=dtype)
            yield start + first, law
        del piece  # before the next logits are made
