"""A token that waits for a verdict, and where its law and its logits lie.

Laws stay rows of the tensors that they were made in: they are gathered once, when a
block is built, and not before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from .step_law import PositionLaws


class LawTable(Protocol):
    """Laws ``[N, V]``, perhaps not made yet."""

    @property
    def law(self) -> Tensor:
        """The laws."""


@dataclass(frozen=True, slots=True)
class GivenLaws:
    """Laws that a ``draft`` hook gave, ``[N, V]``."""

    law: Tensor


@dataclass(frozen=True, slots=True)
class DraftedToken:
    """A token that waits for the LLM's verdict.

    Attributes:
        laws, law_row: the law it was drawn from; ``laws`` is None for a point mass.
        step, step_row: the SLM's logits it stands on; ``step`` is None where the SLM
            gave none at this position.
        signal: what ``route_token`` said here, if it was asked here.
    """

    token: int
    laws: LawTable | None = None
    law_row: int = 0
    step: PositionLaws | None = None
    step_row: int = 0
    signal: float | None = None
