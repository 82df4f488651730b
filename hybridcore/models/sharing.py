"""Rows that begin alike and come together: one reads the beginning, the others copy it.

A slot's keys can be copied once they are there. So feeds are read in waves: of each
beginning that several have in common the first row reads all of its text, and the
others, a wave later, what they do not share with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .places import common_prefix
from .runner import Feed


@dataclass(frozen=True, slots=True)
class Entry:
    """One feed, and what of its text another slot will have read.

    Attributes:
        feed: its number.
        donor: the slot to copy from, or None.
        shared: how many leading tokens of the text to copy.
    """

    feed: int
    donor: int | None = None
    shared: int = 0


def waves(
    feeds: Sequence[Feed], held: Sequence[Sequence[int]], worth: int
) -> list[list[Entry]]:
    """Return the feeds in the order to read them, those of one wave together.

    :param held: tokens that each slot holds.
    :param worth: tokens that must be saved for a row to wait for another.
    """
    long = [i for i, feed in enumerate(feeds) if len(feed.tokens) > worth]
    if len(long) < 2:
        return [[Entry(i) for i in range(len(feeds))]]
    entries = {i: Entry(i) for i in range(len(feeds))}
    wave = dict.fromkeys(range(len(feeds)), 0)
    texts = {i: [*held[feeds[i].slot], *feeds[i].tokens] for i in long}
    # neighbours in this order have the longest beginnings in common
    order = sorted(long, key=texts.__getitem__)
    common = [0]
    for place in range(1, len(order)):
        before, i = order[place - 1], order[place]
        common.append(common_prefix(texts[before], texts[i]))
        own, most = len(held[feeds[i].slot]), len(texts[i]) - feeds[i].wanted
        longest = min(common[place], most)
        if longest - own < worth:
            continue
        # a little less in common is as good, from a row that is read sooner
        least = max(longest - worth, own + worth)
        donor, shared = _soonest(order, common, wave, place, least)
        entries[i] = Entry(i, feeds[donor].slot, min(shared, most))
        wave[i] = wave[donor] + 1
    ordered: list[list[Entry]] = [[] for _ in range(max(wave.values()) + 1)]
    for i, entry in entries.items():
        ordered[wave[i]].append(entry)
    return ordered


def _soonest(
    order: Sequence[int],
    common: Sequence[int],
    wave: dict[int, int],
    place: int,
    least: int,
) -> tuple[int, int]:
    """Return which earlier row of the first wave shares at least so much, how much."""
    best, shared = order[place - 1], common[place]
    alike = common[place]
    for back in range(place - 1, -1, -1):
        if alike < least:
            break
        if wave[order[back]] < wave[best]:
            best, shared = order[back], alike
        alike = min(alike, common[back])
    return best, shared
