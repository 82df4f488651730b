"""Splits ragged reads into calls where padding would cost more than a call."""

from __future__ import annotations

from collections.abc import Sequence

from .runner import Feed

CALL_TOKENS = 4096  # most tokens of one call, padding included
_SLACK = 16  # padding per row that is always cheaper than another call


def grouped(lengths: Sequence[int]) -> list[list[int]]:
    """Group indices of reads so that each group can be padded to one length.

    Longest first; a row joins a group if padding adds at most a quarter of its
    longest read (or a few tokens), and the group stays below ``CALL_TOKENS``.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    groups: list[list[int]] = []
    for i in order:
        if groups and _fits(lengths, groups[-1], lengths[i]):
            groups[-1].append(i)
        else:
            groups.append([i])
    return [sorted(group) for group in groups]


def _fits(lengths: Sequence[int], group: Sequence[int], length: int) -> bool:
    longest = max(lengths[i] for i in group)
    if (len(group) + 1) * longest > CALL_TOKENS:
        return False
    return longest - length <= max(_SLACK, longest // 4)


def chunks(feed: Feed) -> list[Feed]:
    """Cut a read that is longer than a call into calls; the last gives the logits."""
    last = max(feed.wanted, len(feed.tokens) % CALL_TOKENS or CALL_TOKENS)
    if len(feed.tokens) <= CALL_TOKENS:
        return [feed]
    head, tail = feed.tokens[:-last], feed.tokens[-last:]
    parts = [
        Feed(feed.slot, head[i : i + CALL_TOKENS], 1)
        for i in range(0, len(head), CALL_TOKENS)
    ]
    return [*parts, Feed(feed.slot, tail, feed.wanted)]
