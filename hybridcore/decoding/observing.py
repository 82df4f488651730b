"""Tells a strategy what a move committed."""

from __future__ import annotations

from collections.abc import Sequence

from ..dispatch import Dispatcher
from ..exchange import Outcome
from .row import Row


def tell_committed(
    dispatcher: Dispatcher,
    rows: Sequence[Row],
    before: Sequence[int],
    judged: Sequence[tuple[int, int]] | None = None,
) -> None:
    """Call ``observe``, if there is one.

    :param before: for each row, how many tokens it had committed before the move.
    :param judged: drafts that its tally counted as drafted and as accepted.
    """
    if "observe" not in dispatcher.hooks:
        return
    judged = judged or [(0, 0)] * len(rows)
    emitted = [row.emitted_since(b) for row, b in zip(rows, before, strict=True)]
    dispatcher.observe(
        Outcome(
            tokens=[[e.token for e in row] for row in emitted],
            from_llm=[[e.from_llm for e in row] for row in emitted],
            drafted=[drafted for drafted, _ in judged],
            accepted=[accepted for _, accepted in judged],
            states=[row.state for row in rows],
        )
    )
