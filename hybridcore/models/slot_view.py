"""Rows of one padded call on a slot cache: where they stand, and what they see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..transfer import send
from .attention import SHORT
from .masks import Pattern
from .pieces import Piece, additive, piece_on
from .right_aligned import right_aligned
from .runner import Feed

# keys that a run of rows may read in vain, before it is cut in two
_WASTE = {"cpu": 256}
_WASTE_ELSEWHERE = 8192


class SlotView:
    """The queries of one forward, in the order of their slots.

    Tokens are right-aligned (``right_aligned.py``).

    :param feeds: what each row reads.
    :param starts: what each row held before.

    Attributes:
        slots: of the rows.
        width: T, the most tokens that a row reads.
        live: keys up to here are read.
        room: positions written to lie below it.
        ids, positions, places: ``[B, T]`` tokens, where they stand, and where their
            keys go.
    """

    def __init__(
        self, feeds: Sequence[Feed], starts: Sequence[int], device: torch.device
    ) -> None:
        self.device = device
        self.slots = [feed.slot for feed in feeds]
        self.starts = starts
        self.counts = [len(feed.tokens) for feed in feeds]
        self.ends = [a + n for a, n in zip(starts, self.counts, strict=True)]
        self.width = max(self.counts)
        self.live = max(self.ends)
        self.room = self.width + max(starts)
        texts = [feed.tokens for feed in feeds]
        together = send(right_aligned(texts, starts, self.width), device)
        self.ids, self.positions, self.places = together

    def visible(self, pattern: Pattern) -> Tensor:
        """Return ``[B, 1, T, live]`` bool: which keys each query sees."""
        keys = torch.arange(self.live, device=self.device)
        return pattern(keys, self.positions[:, None, :, None])

    def pieces(self, pattern: Pattern, dtype: torch.dtype) -> list[Piece]:
        """Return the pieces of attention whose masks follow ``pattern``.

        Short reads are a matrix for each run of neighbouring slots; of a longer one
        each row is cut into pieces of its own, without its padding.
        """
        spans = self._runs() if self.width <= SHORT else self._parts()
        return [self._piece(pattern, dtype, *span) for span in spans]

    def _runs(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield first and last row, first and last query of each run of rows."""
        first, wasted = 0, 0
        most = _WASTE.get(self.device.type, _WASTE_ELSEWHERE)
        for row in range(1, len(self.slots) + 1):
            if row < len(self.slots):
                longest = max(self.ends[first:row])
                more = self.ends[row] - longest
                wasted += max(more * (row - first), -more)
                if self.slots[row] == self.slots[row - 1] + 1 and wasted <= most:
                    continue
            yield first, row, self.width - max(self.counts[first:row]), self.width
            first, wasted = row, 0

    def _parts(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield the same for parts of rows."""
        size = piece_on(self.device)
        for row, count in enumerate(self.counts):
            for start in range(self.width - count, self.width, size):
                yield row, row + 1, start, min(start + size, self.width)

    def _piece(
        self,
        pattern: Pattern,
        dtype: torch.dtype,
        first: int,
        last: int,
        begin: int,
        end: int,
    ) -> Piece:
        rows = range(first, last)
        # the first query of a row is its padding, or stands that much further on
        low = [
            self.starts[i] + max(0, begin - (self.width - self.counts[i])) for i in rows
        ]
        high = max(self.ends[i] - (self.width - end) for i in rows)
        keys = slice(min(pattern.first(position) for position in low), high)
        positions = self.positions[first:last, None, begin:end, None]
        seen = pattern(
            torch.arange(keys.start, keys.stop, device=self.device), positions
        )
        return Piece(
            slice(first, last),
            slice(self.slots[first], self.slots[first] + last - first),
            slice(begin, end),
            keys,
            additive(seen, dtype),
        )
