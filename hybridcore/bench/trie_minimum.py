"""The fewest tokens that answer a set of sequences: the nodes of their trie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..models.places import common_prefix


@dataclass(frozen=True)
class TrieMinimum:
    """What no correct causal model can do without.

    Attributes:
        depths: how many nodes there are at each depth; a node is a distinct prefix,
            and at depth ``d`` it attends to ``d + 1`` keys.
        scored: distinct prefixes at which logits are needed.
    """

    depths: Counter[int]
    scored: int

    @property
    def tokens(self) -> int:
        """Distinct prefixes: tokens that must be read."""
        return sum(self.depths.values())

    def keys(self, window: int | None = None) -> int:
        """Keys attended to, summed over nodes; at most ``window`` for each."""
        reach = window or max(self.depths, default=0) + 1
        return sum(n * min(depth + 1, reach) for depth, n in self.depths.items())


def trie_minimum(sequences: Iterable[tuple[Sequence[int], int]]) -> TrieMinimum:
    """Count the trie of ``(tokens, last positions whose logits are needed)``.

    In sorted order a sequence shares with all before it exactly what it shares with
    its neighbour.
    """
    depths: Counter[int] = Counter()
    scored: set[int] = set()
    before: Sequence[int] = ()
    path: list[int] = []
    nodes = 0
    for tokens, wanted in sorted((tuple(tokens), n) for tokens, n in sequences):
        shared = common_prefix(before, tokens)
        new = len(tokens) - shared
        depths.update(range(shared, len(tokens)))
        path[shared:] = range(nodes, nodes + new)
        nodes += new
        scored.update(path[len(tokens) - wanted :])
        before = tokens
    return TrieMinimum(depths, len(scored))
