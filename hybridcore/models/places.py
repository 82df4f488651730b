"""Bookkeeping of slots: which tokens each holds, which is free, which fits best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .runner import Feed


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a new sequence goes.

    Attributes:
        slot: the free slot taken.
        kept: leading tokens it already holds.
        donor: another slot that holds a longer common prefix, or None.
        shared: length of the donor's common prefix.
    """

    slot: int
    kept: int
    donor: int | None
    shared: int


class Places:
    """The token ids that each of ``slots`` places holds; free ones keep theirs."""

    def __init__(self, slots: int) -> None:
        self.held: list[list[int]] = [[] for _ in range(slots)]
        self._free = set(range(slots))

    def choose(self, tokens: Sequence[int]) -> Choice:
        """Take the free slot with the longest common prefix.

        At least one of ``tokens`` is left to read.

        :raises RuntimeError: no slot is free.
        """
        if not self._free:
            raise RuntimeError(f"all {len(self.held)} slots are taken")
        known = tokens[: len(tokens) - 1]
        common = [common_prefix(held, known) for held in self.held]
        # an emptier slot on ties, so that long prefixes live on
        slot = max(sorted(self._free), key=lambda s: (common[s], -len(self.held[s])))
        self._free.remove(slot)
        donor = max(range(len(common)), key=common.__getitem__)
        better = common[donor] > common[slot]
        return Choice(slot, common[slot], donor if better else None, common[donor])

    def release(self, slot: int) -> None:
        """Free a slot; raises RuntimeError where it is free already."""
        self._check_taken(slot)
        self._free.add(slot)

    def check(self, feeds: Sequence[Feed]) -> None:
        """Raise RuntimeError where feeds are not what a runner may be given."""
        if len({feed.slot for feed in feeds}) < len(feeds):
            raise RuntimeError(f"a slot is fed twice: {[f.slot for f in feeds]!r}")
        for feed in feeds:
            self._check_taken(feed.slot)
            if not 1 <= feed.wanted <= len(feed.tokens):
                raise RuntimeError(
                    f"{feed.wanted} logits wanted of {len(feed.tokens)} tokens"
                )

    def append(self, slot: int, tokens: Sequence[int]) -> int:
        """Add tokens to a taken slot; return how many it held before."""
        self._check_taken(slot)
        before = len(self.held[slot])
        self.held[slot].extend(tokens)
        return before

    def cut(self, slot: int, length: int) -> None:
        """Drop what a taken slot holds beyond ``length`` tokens."""
        self._check_taken(slot)
        if not 0 <= length <= len(self.held[slot]):
            raise RuntimeError(
                f"slot {slot} holds {len(self.held[slot])} tokens, not {length}"
            )
        del self.held[slot][length:]

    def longest(self) -> int:
        """Return the length of the longest sequence of a taken slot."""
        lengths = [len(t) for slot, t in enumerate(self.held) if slot not in self._free]
        return max(lengths, default=0)

    def clip(self, length: int) -> None:
        """Drop what free slots hold beyond ``length`` tokens."""
        for slot in self._free:
            del self.held[slot][length:]

    @property
    def idle(self) -> bool:
        """Whether no slot is taken."""
        return len(self._free) == len(self.held)

    def _check_taken(self, slot: int) -> None:
        if slot in self._free or not 0 <= slot < len(self.held):
            raise RuntimeError(f"slot {slot} is not taken")


def run_of(slots: Sequence[int]) -> slice | None:
    """Return slots as the slice that they are, None where they are no neighbours."""
    first, last = slots[0], slots[-1] + 1
    return slice(first, last) if list(slots) == list(range(first, last)) else None


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Return the length of the longest common prefix."""
    # by halves, since slices are compared many times as fast as tokens
    alike, limit = 0, min(len(a), len(b))
    while alike < limit:
        middle = (alike + limit + 1) // 2
        if list(a[alike:middle]) == list(b[alike:middle]):
            alike = middle
        else:
            limit = middle - 1
    return alike
