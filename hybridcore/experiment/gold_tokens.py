"""What one model says of the gold tokens of some requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..scoring import ScoreRequest
from ..scoring.gold import gold_and_best
from ..scoring.page import Page


@dataclass(frozen=True)
class GoldTokens:
    """Attributes:
    values: ``[N]``, the log-probability of each gold token.
    best: ``[N]`` int64, the argmax of the law there.
    """

    values: Tensor
    best: Tensor

    def hits(self, request: ScoreRequest) -> Tensor:
        """Return where the gold token is the argmax, ``[N]`` bool."""
        return self.best == torch.tensor(list(request.continuation))


def gold_tokens(
    page: Page,
    requests: Sequence[ScoreRequest],
    dtype: torch.dtype | None,
    width: int,
) -> dict[int, GoldTokens]:
    """Return by index what a page says of its requests.

    :param dtype: of the softmax, ``width`` the number of columns it runs over.
    """
    indices, sizes = [], []
    rows: list[int] = []
    gold: list[int] = []
    for index, own in page.members():
        continuation = requests[index].continuation
        indices.append(index)
        sizes.append(len(continuation))
        rows += own[-len(continuation) :]
        gold += continuation
    values, best = gold_and_best(page, rows, gold, dtype, width)
    parts = zip(values.split(sizes), best.split(sizes), strict=True)
    return {i: GoldTokens(*part) for i, part in zip(indices, parts, strict=True)}
