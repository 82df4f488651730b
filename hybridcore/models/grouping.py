"""Splits ragged reads into calls where padding would cost more than a call."""

from __future__ import annotations

from collections.abc import Sequence

from .runner import Feed

CALL_TOKENS = 4096  # most tokens of one call, padding included


def grouped(
    lengths: Sequence[int], call_cost: int = 32, most: int = CALL_TOKENS
) -> list[list[int]]:
    """Group indices of reads so that each group can be padded to one length.

    The groups are the cheapest ones: padding costs what tokens cost, a call what
    ``call_cost`` tokens cost. A group of several has no more than ``most``.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    padded = [lengths[i] for i in order]
    whole = len(padded) * max(padded, default=0)
    if whole <= min(most, sum(padded) + call_cost):
        starts = [0]
    else:
        starts = _cuts(padded, call_cost, most)
    ends = [*starts[1:], len(order)]
    return [sorted(order[a:b]) for a, b in zip(starts, ends, strict=True) if a < b]


def _cuts(lengths: Sequence[int], call_cost: int, most: int) -> list[int]:
    """Return where the groups of falling ``lengths`` begin, by dynamic programming."""
    best, begin = [0.0], [0]
    for end in range(1, len(lengths) + 1):
        costs = {
            start: best[start] + call_cost + (end - start) * lengths[start]
            for start in range(end)
            if end - start == 1 or (end - start) * lengths[start] <= most
        }
        start = min(costs, key=costs.__getitem__)
        best.append(costs[start])
        begin.append(start)
    cuts, end = [], len(lengths)
    while end:
        end = begin[end]
        cuts.append(end)
    return cuts[::-1]


def chunks(feed: Feed, most: int = CALL_TOKENS) -> list[Feed]:
    """Cut a read of more than ``most`` tokens into calls.

    Each asks for those of the wanted logits that lie in it, which may be none.
    """
    total = len(feed.tokens)
    first_wanted = total - feed.wanted
    parts = []
    for start in range(0, total, most):
        tokens = feed.tokens[start : start + most]
        wanted = start + len(tokens) - max(start, first_wanted)
        parts.append(Feed(feed.slot, tokens, max(0, wanted)))
    return parts
