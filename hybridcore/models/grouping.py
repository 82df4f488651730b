"""Splits ragged reads into calls where padding would cost more than a call."""

from __future__ import annotations

from collections.abc import Sequence

from .runner import Feed

CALL_TOKENS = 4096  # most tokens of one call, padding included


def grouped(lengths: Sequence[int], call_cost: int = 32) -> list[list[int]]:
    """Group indices of reads so that each group can be padded to one length.

    The groups are the cheapest ones: padding costs what tokens cost, a call what
    ``call_cost`` tokens cost. A group of several stays below ``CALL_TOKENS``.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    padded = [lengths[i] for i in order]
    whole = len(padded) * max(padded, default=0)
    if whole <= min(CALL_TOKENS, sum(padded) + call_cost):
        starts = [0]
    else:
        starts = _cuts(padded, call_cost)
    ends = [*starts[1:], len(order)]
    return [sorted(order[a:b]) for a, b in zip(starts, ends, strict=True) if a < b]


def _cuts(lengths: Sequence[int], call_cost: int) -> list[int]:
    """Return where the groups of falling ``lengths`` begin, by dynamic programming."""
    best, begin = [0.0], [0]
    for end in range(1, len(lengths) + 1):
        costs = {
            start: best[start] + call_cost + (end - start) * lengths[start]
            for start in range(end)
            if end - start == 1 or (end - start) * lengths[start] <= CALL_TOKENS
        }
        start = min(costs, key=costs.__getitem__)
        best.append(costs[start])
        begin.append(start)
    cuts, end = [], len(lengths)
    while end:
        end = begin[end]
        cuts.append(end)
    return cuts[::-1]


def chunks(feed: Feed) -> list[Feed]:
    """Cut a read that is longer than a call into calls.

    Each asks for those of the wanted logits that lie in it, which may be none.
    """
    total = len(feed.tokens)
    first_wanted = total - feed.wanted
    parts = []
    for start in range(0, total, CALL_TOKENS):
        tokens = feed.tokens[start : start + CALL_TOKENS]
        wanted = start + len(tokens) - max(start, first_wanted)
        parts.append(Feed(feed.slot, tokens, max(0, wanted)))
    return parts
