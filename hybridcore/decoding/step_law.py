"""Laws for many positions at once, whatever settings their rows have.

They are made when they are first read: greedy rows of a router need the best id
alone, and no hook reads every law.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import laws
from ..transfer import send
from .request import Prefix, StepLaw


@dataclass(frozen=True)
class WarpLaw:
    """Temperature, top-k and top-p alone: see :func:`hybridcore.laws.warp`."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    @property
    def greedy(self) -> bool:
        """Temperature 0."""
        return self.temperature == 0.0

    def __call__(self, prefix: Prefix, logits: Tensor) -> Tensor:
        """Return the laws ``[N, V]`` of N positions."""
        return laws.warp(logits, self.temperature, self.top_k, self.top_p)

    def scores(self, prefix: Prefix, logits: Tensor) -> Tensor:
        """Return the warped logits."""
        if self.greedy:
            return logits
        return laws.warped(logits, self.temperature, self.top_k, self.top_p)


class PositionLaws:
    """The laws of N positions, each under the settings of its own row.

    :param makers: one for each position; those that are the same object are asked
        together.
    :param prefix: the tokens before a position.
    :param logits: ``[N, V]`` raw, float32.

    Attributes:
        best: ``[N]``, the largest logit of each position; not finite where any of
            them is NaN or infinite, or all are ruled out.
    """

    def __init__(
        self, makers: Sequence[StepLaw], prefix: Prefix, logits: Tensor
    ) -> None:
        self.logits = logits
        self.best = logits.amax(-1)
        self._makers = makers
        self._prefix = prefix
        self._greedy = [maker.greedy for maker in makers]
        self._scores: Tensor | None = None
        self._law: Tensor | None = None

    def certain(self, i: int) -> bool:
        """Tell whether the law of position ``i`` is all on one token."""
        return self._greedy[i]

    @property
    def law(self) -> Tensor:
        """The laws, ``[N, V]``."""
        if self._law is None:
            self._law = self._made()
        return self._law

    def draw(self, uniform: Sequence[float]) -> Tensor:
        """Return one token for each position, ``[N]``, by one number each."""
        if self._law is None and all(self._greedy):
            return laws.best(self._scored())
        return laws.draw(self.law, uniform)

    def _made(self) -> Tensor:
        scores = self._scored()
        if all(self._greedy):
            return laws.greedy(scores)
        law = scores.softmax(-1)
        if any(self._greedy):
            places = [i for i, greedy in enumerate(self._greedy) if greedy]
            certain = send(places, law.device)
            law[certain] = laws.greedy(scores[certain])
        return law

    def _scored(self) -> Tensor:
        if self._scores is None:
            self._scores = _scores(self._makers, self._prefix, self.logits)
        return self._scores


def _scores(makers: Sequence[StepLaw], prefix: Prefix, logits: Tensor) -> Tensor:
    first = makers[0]
    if all(maker is first for maker in makers):
        return first.scores(prefix, logits)
    groups: dict[int, list[int]] = {}
    for position, maker in enumerate(makers):
        groups.setdefault(id(maker), []).append(position)
    result = torch.empty_like(logits)
    for members in groups.values():
        index = send(members, logits.device)
        part = _part(prefix, members)
        result[index] = makers[members[0]].scores(part, logits[index])
    return result


def _part(prefix: Prefix, members: Sequence[int]) -> Prefix:
    return lambda i: prefix(members[i])
