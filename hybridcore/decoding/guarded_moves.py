"""The two moves under a :class:`DraftingGuard`: limited by it, and measured for it.

A move ends when its results have come to the host, so the clock is read where nothing
is under way on a device, and nothing has to wait for the sake of measuring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .drafting_guard import DraftingGuard
from .reading import Reader
from .row import Row

Move = Callable[[Sequence[Row]], None]
Clock = Callable[[], float]


class GuardedDrafting:
    """Moves the SLM; blocks that begin get their limit first.

    :param move: the small model's.
    :param reader: of the SLM; None where the strategy does not require it.
    :param clock: seconds from any point in time.
    """

    def __init__(
        self, move: Move, reader: Reader | None, guard: DraftingGuard, clock: Clock
    ) -> None:
        self._move = move
        self._reader = reader
        self._guard = guard
        self._clock = clock

    def __call__(self, rows: Sequence[Row]) -> None:
        """Move every row of ``rows`` by one SLM step, or send it to the LLM."""
        self._begin([row for row in rows if not row.pending], len(rows))
        moving = [row for row in rows if row.room(held=True)]
        unread = [self._unread(row) for row in moving]
        before = sum(len(row.drafts) for row in moving)
        start = self._clock()
        self._move(rows)
        seconds = self._clock() - start
        if moving:
            drafts = sum(len(row.drafts) for row in moving) - before
            self._guard.drafted(len(moving), drafts, sum(unread), max(unread), seconds)

    def _begin(self, rows: Sequence[Row], together: int) -> None:
        if not rows:
            return
        limit = self._guard.limit(together)
        for row in rows:
            left = row.room(held=True)
            opens = limit == 0 or self._guard.opens(together, self._unread(row), left)
            row.limit = limit if opens else 0

    def _unread(self, row: Row) -> int:
        return 0 if self._reader is None else self._reader.unread(row)


class GuardedJudging:
    """Moves the LLM, and tells the guard what came of it.

    :param move: the large model's.
    :param reader: of the LLM.
    :param clock: seconds from any point in time.
    """

    def __init__(
        self, move: Move, reader: Reader, guard: DraftingGuard, clock: Clock
    ) -> None:
        self._move = move
        self._reader = reader
        self._guard = guard
        self._clock = clock

    def __call__(self, rows: Sequence[Row]) -> None:
        """Move every row of ``rows``; each is drafting again, or finished, after."""
        in_step = all(self._reader.unread(r) == len(r.drafts) + 1 for r in rows)
        for row in rows:
            row.tally.num_plain_steps += row.limit == 0
        before = [_judged(row) for row in rows]
        # a block that a stop cuts was read whole
        width = 1 + max(len(row.drafts) for row in rows)
        start = self._clock()
        self._move(rows)
        seconds = self._clock() - start
        changes = [
            (drafts - old, accepted - kept)
            for (drafts, accepted), (old, kept) in zip(
                map(_judged, rows), before, strict=True
            )
        ]
        self._guard.judged(changes, width, seconds, in_step)
        for row in rows:
            if row.finish is not None:
                self._guard.finished(row.answered)


def _judged(row: Row) -> tuple[int, int]:
    return row.tally.num_draft_tokens, row.tally.num_accepted_draft_tokens
