"""How many tokens blocks of drafts bring, by how drafts fared at each position.

With one acceptance a for all positions a block of k drafts brings
``(1 - a^(k+1)) / (1 - a)`` tokens (Leviathan et al., arXiv 2211.17192). Models differ:
where a draft is right on two tokens of three, the third is lost in every block. So
every position has its own running acceptance, given that the drafts before it were
accepted. One that was not tried lately is taken to be like the rest, so that a longer
block is tried again now and then.
"""

from __future__ import annotations

from collections.abc import Iterable

_KEPT = 1 - 1 / 32  # of what was seen: at each draft, and at each move without one
_PRIOR = 1.0  # drafts' worth of trust that a position is like the rest


class Verdicts:
    """Drafts that were accepted and rejected, the newest with the most weight."""

    def __init__(self, accepted: float = 0.0, rejected: float = 0.0) -> None:
        self._accepted, self._rejected = accepted, rejected
        self._move = 0

    def count(self, accepted: bool, move: int = 0) -> None:
        """Take one more verdict, of the move of this number."""
        kept = _KEPT * self._left(move)
        self._accepted = kept * self._accepted + accepted
        self._rejected = kept * self._rejected + (not accepted)
        self._move = move

    def share(self, prior: float = 0.0, weight: float = 0.0, move: int = 0) -> float:
        """Return the accepted share, with so many verdicts of ``prior`` added."""
        left = self._left(move)
        accepted = left * self._accepted + weight * prior
        return accepted / (left * (self._accepted + self._rejected) + weight)

    def _left(self, move: int) -> float:
        return _KEPT ** max(0, move - self._move - 1)


class Acceptance:
    """The running acceptance: of drafts altogether, and of each position."""

    def __init__(self) -> None:
        self._all = Verdicts(1.0, 1.0)  # as if one of each had been seen
        self._positions: list[Verdicts] = []
        self._move = 0

    def judged(self, blocks: Iterable[tuple[int, int]]) -> None:
        """Learn from one move: of each block, drafts and how many were accepted.

        Drafts behind a rejected one say nothing, so they are not looked at.
        """
        self._move += 1
        for drafted, accepted in blocks:
            for position in range(min(drafted, accepted + 1)):
                if position == len(self._positions):
                    self._positions.append(Verdicts())
                self._positions[position].count(position < accepted, self._move)
                self._all.count(position < accepted)

    @property
    def overall(self) -> float:
        """The probability that a draft is accepted where those before it were."""
        return self._all.share()

    def tokens(self, longest: int) -> list[float]:
        """Return the tokens that a block of 0, 1, ..., ``longest`` drafts brings."""
        reached, brought = 1.0, [1.0]
        overall = self.overall
        for position in range(longest):
            if position < len(self._positions):
                seen = self._positions[position]
                reached *= seen.share(overall, _PRIOR, self._move)
            else:
                reached *= overall
            brought.append(brought[-1] + reached)
        return brought
