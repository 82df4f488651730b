"""What a move of the SLM adds to the rows: tokens, and where their laws lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..exchange import Draft, Step
from .drafted import DraftedToken, GivenLaws
from .row import Row
from .step_law import PositionLaws


@dataclass(frozen=True, slots=True)
class Turn:
    """The rows that move, what the hooks see of them, and their laws.

    ``budget`` are the tokens that may join each row; ``laws`` is None where the
    strategy does not require the SLM.
    """

    rows: Sequence[Row]
    budget: Sequence[int]
    step: Step
    laws: PositionLaws | None


def drawn_from(rows: Sequence[Row], laws: PositionLaws) -> Tensor:
    """Draw one token for each row, with numbers that are not used up yet."""
    return laws.draw([row.numbers.peek() for row in rows])


def sampled(
    drawn: Sequence[int] | None, members: Sequence[int], turn: Turn
) -> Iterator[tuple[int, list[DraftedToken]]]:
    """Give each row of ``members`` the token drawn for it; its number is used."""
    laws = turn.laws
    for i in members:
        if drawn is None or laws is None:
            yield i, []
            continue
        row = turn.rows[i]
        row.numbers.take()
        law = None if laws.certain(i) else laws
        yield i, [DraftedToken(drawn[i], law, i, laws, i, row.signal)]


def hooked(
    draft: Draft, proposed: Sequence[list[int]], members: Sequence[int], turn: Turn
) -> Iterator[tuple[int, list[DraftedToken]]]:
    """Give each row of ``members`` the tokens that a ``draft`` hook proposed."""
    width = draft.tokens.shape[1]
    given = None if draft.law is None else GivenLaws(draft.law.flatten(0, 1))
    for j, i in enumerate(members):
        row = turn.rows[i]
        yield (
            i,
            [
                # logits and signal are those of the position that the step stood at
                DraftedToken(token, given, j * width + k, turn.laws, i, row.signal)
                if k == 0
                else DraftedToken(token, given, j * width + k)
                for k, token in enumerate(proposed[j])
            ],
        )
