"""How a trusting strategy would walk along a gold continuation.

Decoding a trusting strategy is a walk: ``route_token`` looks at a position, KEEP
leaves it to the SLM, ASK gives it to the LLM, CHECK leaves it to the SLM and gives
the *next* position to the LLM. What it looks at (``pending``, ``budget``, the ids
so far) follows from the tokens emitted, so with the gold tokens in their place the
walk is certain, and the product of the laws along it is the probability that
decoding emits exactly these tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..exchange import Route


class Trail:
    """The walk along one continuation; verdicts are learnt in any order.

    :param context: ids before the continuation.
    :param continuation: the gold ids; the last one is never looked at.
    :param rows: rows of the SLM's logits at its positions; empty without an SLM.

    Attributes:
        from_llm: for each position, whether the LLM's law emits it.
        signals: for each position, what ``route_token`` gave, or None.
    """

    def __init__(
        self, context: Sequence[int], continuation: Sequence[int], rows: Sequence[int]
    ) -> None:
        size = len(continuation)
        self._context = context
        self._continuation = continuation
        self._verdicts = [Route.KEEP] * size
        self._pending = [-1] * size
        self._answers: list[float | None] = [None] * size
        self._frontier = 0
        self._window = size
        self.rows = rows
        self.from_llm = [False] * size
        self.signals: list[float | None] = [None] * size

    def budget(self, position: int) -> int:
        """Return the tokens left, as if the answer were as long as the gold one."""
        return len(self._continuation) - position

    def before(self, position: int) -> list[int]:
        """Return all ids before ``position``: context and gold tokens."""
        return [*self._context, *self._continuation[:position]]

    def learn(
        self, position: int, pending: int, verdict: int, signal: float | None
    ) -> None:
        """Take the verdict that was made at ``position`` with ``pending`` drafts."""
        self._verdicts[position] = verdict
        self._pending[position] = pending
        self._answers[position] = signal

    def unknown(self) -> list[tuple[int, int]]:
        """Return (position, pending) where a verdict is still to be made.

        All positions are guessed at once; a verdict made for another ``pending``
        than the walk arrives with is made again. Everything before the first such
        position is settled. A strategy that reads ``pending`` moves it only a few
        positions at a time, so no more than twice that is guessed again.
        """
        unknown = self._walk()
        if not unknown:
            return []
        frontier = unknown[0][0]
        if self._frontier:
            self._window = 2 * (frontier - self._frontier)
        self._frontier = frontier
        return [item for item in unknown if item[0] < frontier + self._window]

    def keep_all(self) -> None:
        """Settle the walk of a strategy that never routes."""
        self.from_llm = [not self.rows] * len(self._continuation)

    def _walk(self) -> list[tuple[int, int]]:
        unknown = []
        pending, forced = 0, False
        for position, verdict in enumerate(self._verdicts):
            asked = verdict == Route.ASK or not self.rows
            self.from_llm[position] = forced or asked
            self.signals[position] = None if forced else self._answers[position]
            if not forced and self._pending[position] != pending:
                unknown.append((position, pending))
            pending = 0 if forced or asked else pending + 1
            forced = verdict == Route.CHECK and not forced and not asked
        return unknown
