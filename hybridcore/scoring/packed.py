"""Reads passages as one tree: every distinct prefix once, whatever shares it.

Passages are read in the order of the tree, a sheet of new tokens at a time. Between
sheets only the path that the next one hangs at is kept, so a prefix of any length is
read once however many passages begin with it, and memory holds one path and one sheet.
Logits are made from the hidden states of scored positions, and only when asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from ..models.memory import out_of_memory
from ..models.tree_view import Segment
from .page import Page
from .passage import Passage
from .trie import Leaf, leaves, sheets

if TYPE_CHECKING:
    from ..models.tree_reader import TreeReader

_LOG = logging.getLogger(__name__)
# new tokens of one forward: enough to fill the machine, few enough for its caches
_BUDGET = {"cpu": 1024}
_BUDGET_ELSEWHERE = 8192
_SMALLEST = 32  # tokens; a forward that does not fit with these will not fit at all


def budget_of(reader: TreeReader) -> int:
    """Return how many new tokens a reader takes at once."""
    return _BUDGET.get(reader.device.type, _BUDGET_ELSEWHERE)


def read(
    reader: TreeReader,
    passages: Sequence[Passage],
    hidden: bool = False,
    budget: int | None = None,
) -> Iterator[Page]:
    """Yield the pages of ``passages``, in the order of their tree.

    :param budget: new tokens of a page; the reader's own where left out.
    """
    budget = budget or budget_of(reader)
    reading = _Reading(reader, budget)
    try:
        for sheet in sheets(leaves(passages), budget):
            yield reading.page(sheet, hidden)
    finally:
        reader.clear()


class _Reading:
    """One walk over a tree; ``path`` are the rows of the passage read last."""

    def __init__(self, reader: TreeReader, budget: int) -> None:
        self._reader = reader
        self._budget = budget
        self._path: list[int] = []

    def page(self, sheet: Sequence[Leaf], hidden: bool) -> Page:
        """Read the sheet's new tokens; return its page."""
        shared = sheet[0].shared
        self._reader.keep(self._path[:shared])
        self._path = list(range(shared))
        scored, rows = _scored(sheet)
        self._read([leaf.segment for leaf in sheet if leaf.fresh])
        states = self._reader.hidden(torch.tensor(scored))
        return Page(
            passages=[leaf.passage for leaf in sheet],
            rows=rows,
            fresh=[len(leaf.fresh) for leaf in sheet],
            speak=lambda chosen: self._reader.logits(states[chosen]),
            width=self._reader.vocab_size,
            device=states.device,
            hidden=states if hidden else None,
        )

    def _read(self, segments: Sequence[Segment]) -> None:
        """Read segments in as few forwards as the budget and the memory allow."""
        for part in _parts(segments, self._budget):
            if not self._fits(part):
                self._read(part)
                continue
            first = self._reader.held - _size(part)
            for segment in part:
                first = _extend(self._path, segment, first)

    def _fits(self, part: Sequence[Segment]) -> bool:
        """Read a part in one forward; lower the budget where memory runs out."""
        try:
            self._reader.read(self._path[: part[0].depth], part)
        except Exception as error:
            if not out_of_memory(error) or _size(part) <= _SMALLEST:
                raise
            self._budget = max(_SMALLEST, _size(part) // 2)
            _LOG.warning(
                "out of memory: reading at most %d tokens at a time", self._budget
            )
            return False
        return True


def _size(segments: Sequence[Segment]) -> int:
    return sum(len(segment.tokens) for segment in segments)


def _parts(segments: Sequence[Segment], budget: int) -> Iterator[list[Segment]]:
    """Cut segments into runs of at most ``budget`` tokens, long ones in the middle."""
    part: list[Segment] = []
    room = budget
    for segment in segments:
        depth, tokens = segment.depth, segment.tokens
        while tokens:
            part.append(Segment(depth, tokens[:room]))
            depth, tokens = depth + room, tokens[room:]
            room -= len(part[-1].tokens)
            if not room:
                yield part
                part, room = [], budget
    if part:
        yield part


def _scored(sheet: Sequence[Leaf]) -> tuple[list[int], list[list[int]]]:
    """Return the rows of scored positions, and which of them are each leaf's."""
    path = list(range(sheet[0].shared))
    places: dict[int, int] = {}
    shares = []
    row = len(path)
    for leaf in sheet:
        row = _extend(path, leaf.segment, row)
        own = path[len(path) - leaf.passage.length :]
        shares.append([places.setdefault(r, len(places)) for r in own])
    return list(places), shares


def _extend(path: list[int], segment: Segment, row: int) -> int:
    """Let ``path`` lead through a segment whose rows begin at ``row``."""
    del path[segment.depth :]
    path.extend(range(row, row + len(segment.tokens)))
    return row + len(segment.tokens)
