"""Laws for many positions at once, whatever settings their rows have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import laws
from .request import Prefix, StepLaw


@dataclass(frozen=True)
class WarpLaw:
    """Temperature, top-k and top-p alone: see :func:`hybridcore.laws.warp`."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __call__(self, prefix: Prefix, logits: Tensor) -> Tensor:
        return laws.warp(logits, self.temperature, self.top_k, self.top_p)


def laws_of(makers: Sequence[StepLaw], prefix: Prefix, logits: Tensor) -> Tensor:
    """Return the law ``[N, V]`` of each position by its own maker.

    Positions that share a maker are warped together.
    """
    first = makers[0]
    if all(maker is first for maker in makers):
        return first(prefix, logits)
    groups: dict[int, list[int]] = {}
    for position, maker in enumerate(makers):
        groups.setdefault(id(maker), []).append(position)
    result = torch.empty_like(logits)
    for members in groups.values():
        maker = makers[members[0]]
        index = torch.tensor(members, device=logits.device)
        result[index] = maker(_part(prefix, members), logits[index])
    return result


def _part(prefix: Prefix, members: Sequence[int]) -> Prefix:
    return lambda i: prefix(members[i])
