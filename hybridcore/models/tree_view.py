"""What each token of a tree may see: the path from the root to itself.

Rows are numbered as they are read, depth first, so the descendants of a row are a run:
a key is visible to a query where the query lies in the key's run. Attention over a
piece of the queries needs only those keys that some query of the piece can see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .masks import Pattern
from .pieces import Piece, additive, piece_on

_ONE = slice(0, 1)  # a tree is one row


@dataclass(frozen=True, slots=True)
class Segment:
    """Tokens that follow each other from ``depth`` on, below the path read last."""

    depth: int
    tokens: Sequence[int]


class TreeView:
    """The N tokens of one forward behind ``held`` rows that were read before.

    :param path: rows of the path at hand, by depth; the first segment hangs at its
        end, or at the depth it names.
    :param held: rows read before, on the path or not.
    :param segments: what is read now, depth first.
    """

    def __init__(
        self,
        path: Sequence[int],
        held: int,
        segments: Sequence[Segment],
        device: torch.device,
    ) -> None:
        self.device = device
        self.held = held
        self.tokens = sum(len(segment.tokens) for segment in segments)
        deepest = max(segment.depth + len(segment.tokens) for segment in segments)
        # where the run of a row of each depth ends, walking from the last segment back
        ends = torch.full((max(deepest, len(path)),), self.tokens)
        depths, runs = [], []
        offset = self.tokens
        for segment in reversed(segments):
            offset -= len(segment.tokens)
            span = slice(segment.depth, segment.depth + len(segment.tokens))
            depths.append(torch.arange(span.start, span.stop))
            runs.append(ends[span].clone())
            ends[segment.depth :] = offset
        self._begin = torch.zeros(held + self.tokens, dtype=torch.long)
        self._begin[held:] = torch.arange(self.tokens)
        self._end = torch.zeros(held + self.tokens, dtype=torch.long)
        self._depth = torch.zeros(held + self.tokens, dtype=torch.long)
        rows = torch.tensor(path, dtype=torch.long)
        self._end[rows] = ends[: len(path)]
        self._depth[rows] = torch.arange(len(path))
        self._end[held:] = torch.cat(runs[::-1])
        self._depth[held:] = torch.cat(depths[::-1])

    @cached_property
    def positions(self) -> Tensor:
        """``[1, N]`` int64: depths of the tokens being read."""
        return self._depth[self.held :][None].to(self.device)

    def visible(self, pattern: Pattern) -> Tensor:
        """Return ``[1, 1, N, held + N]`` bool: which rows each token sees."""
        rows = torch.arange(len(self._end))
        seen = self._visible(pattern, 0, self.tokens, rows)
        return seen[None, None].to(self.device)

    def pieces(self, pattern: Pattern, dtype: torch.dtype) -> list[Piece]:
        """Return the pieces of attention whose masks follow ``pattern`` too."""
        size = piece_on(self.device)
        return [
            self._piece(pattern, start, min(start + size, self.tokens), dtype)
            for start in range(0, self.tokens, size)
        ]

    def _piece(
        self, pattern: Pattern, start: int, stop: int, dtype: torch.dtype
    ) -> Piece:
        rows = ((self._begin < stop) & (self._end > start)).nonzero()[:, 0]
        visible = self._visible(pattern, start, stop, rows)
        seen = visible.any(0)
        rows, visible = rows[seen], visible[:, seen]
        first, last = int(rows[0]), int(rows[-1])
        run = last - first + 1 == len(rows)
        return Piece(
            _ONE,
            _ONE,
            slice(start, stop),
            slice(first, last + 1) if run else rows.to(self.device),
            additive(visible[None, None], dtype).to(self.device),
        )

    def _visible(self, pattern: Pattern, start: int, stop: int, rows: Tensor) -> Tensor:
        query = torch.arange(start, stop)[:, None]
        own = self._depth[self.held + start : self.held + stop, None]
        inside = (self._begin[rows] <= query) & (query < self._end[rows])
        return inside & pattern(self._depth[rows], own)
