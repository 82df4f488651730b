"""What one reading of some passages gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .passage import Passage


@dataclass(frozen=True, slots=True)
class Page:
    """Passages that were read together, and the logits at their scored positions.

    Attributes:
        passages: those that were read.
        rows: for each, the rows of its scored positions, in order.
        fresh: for each, how many of its tokens were read; the others had been.
        speak: rows ``[n]`` to raw logits ``[n, V]``, in the model's own type.
        width: V.
        device: of the logits.
        hidden: ``[R, D]`` last hidden states of all rows, where asked for.
    """

    passages: Sequence[Passage]
    rows: Sequence[Sequence[int]]
    fresh: Sequence[int]
    speak: Callable[[Tensor], Tensor]
    width: int
    device: torch.device
    hidden: Tensor | None = None

    def members(self) -> Iterator[tuple[int, Sequence[int]]]:
        """Yield each request's index and its passage's rows; its own are the last."""
        for passage, rows in zip(self.passages, self.rows, strict=True):
            for index in passage.members:
                yield index, rows

    def logits(self, rows: Tensor) -> Tensor:
        """Return raw logits ``[n, V]`` of ``rows [n]``; keep n small."""
        return self.speak(rows.to(self.device))
