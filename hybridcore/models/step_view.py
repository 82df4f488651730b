"""All slots of a cache in one short read, in tensors that stay where they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..transfer import send
from .masks import Pattern
from .pieces import Piece, additive
from .right_aligned import right_aligned
from .runner import Feed


class StepView:
    """The queries of one forward of every slot, those of idle slots being padding.

    Aimed anew for each read, so that what was recorded of one serves the next. Tokens
    are right-aligned (``right_aligned.py``).

    :param count: slots of the cache.
    :param width: T, the most tokens that a row reads.
    :param live: keys up to here are read.

    Attributes:
        ids, positions, places: ``[slots, T]`` tokens, where they stand, and where their
            keys go.
    """

    def __init__(self, count: int, width: int, live: int, device: torch.device) -> None:
        self.device = device
        self.slots = list(range(count))
        self.width = width
        self.live = live
        self._together = torch.zeros(3, count, width, dtype=torch.long, device=device)
        self.ids, self.positions, self.places = self._together

    def aim(self, feeds: Sequence[Feed], starts: Sequence[int]) -> None:
        """Say what the rows read.

        :param feeds: of some of the slots.
        :param starts: what every slot holds before.
        """
        fed = {feed.slot: feed.tokens for feed in feeds}
        texts = [fed.get(slot, ()) for slot in self.slots]
        together = right_aligned(texts, starts, self.width)
        self._together.copy_(send(together, self.device))

    def visible(self, pattern: Pattern) -> Tensor:
        """Return ``[slots, 1, T, live]`` bool: which keys each query sees."""
        keys = torch.arange(self.live, device=self.device)
        return pattern(keys, self.positions[:, None, :, None])

    def pieces(self, pattern: Pattern, dtype: torch.dtype) -> list[Piece]:
        """Return all rows as the one piece that they are."""
        whole = slice(0, len(self.slots))
        queries, keys = slice(0, self.width), slice(0, self.live)
        mask = additive(self.visible(pattern), dtype)
        return [Piece(whole, whole, queries, keys, mask)]
