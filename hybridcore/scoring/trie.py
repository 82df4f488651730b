"""Sequences that begin alike, as one tree that is read once.

Sorted, every sequence stands next to the one it shares most with: of each only what
lies behind the common prefix with its neighbour is new. Read in this order, depth
first, what a new token has to see is the path of its own sequence, and the number of
tokens read is that of the distinct prefixes, which is the least there can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..models.places import common_prefix
from ..models.tree_view import Segment
from .passage import Passage


@dataclass(frozen=True, slots=True)
class Leaf:
    """One passage in the order of the tree.

    ``shared`` leading tokens are those of the passage before it.
    """

    passage: Passage
    shared: int

    @property
    def fresh(self) -> Sequence[int]:
        """Tokens that no passage before it has read."""
        return self.passage.tokens[self.shared :]

    @property
    def segment(self) -> Segment:
        """The new tokens and where they hang."""
        return Segment(self.shared, self.fresh)


def leaves(passages: Sequence[Passage]) -> list[Leaf]:
    """Order passages as a tree; none may have the tokens of another."""
    ordered = sorted(passages, key=lambda passage: passage.tokens)
    before: Sequence[int] = ()
    found = []
    for passage in ordered:
        found.append(Leaf(passage, common_prefix(before, passage.tokens)))
        before = passage.tokens
    return found


def sheets(tree: Sequence[Leaf], budget: int) -> Iterator[list[Leaf]]:
    """Cut the leaves into runs of at most ``budget`` new tokens, or of one leaf."""
    sheet: list[Leaf] = []
    size = 0
    for leaf in tree:
        if sheet and size + len(leaf.fresh) > budget:
            yield sheet
            sheet, size = [], 0
        sheet.append(leaf)
        size += len(leaf.fresh)
    if sheet:
        yield sheet
