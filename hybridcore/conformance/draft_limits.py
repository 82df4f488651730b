"""The option ``num_drafts``: an upper bound, wherever a strategy has it."""

from __future__ import annotations

from ..dispatch import Dispatcher
from ..options import option_fields
from .subject import Subject
from .texts import same_table

COUNT = "num_drafts"


def draft_limits(subject: Subject) -> list[int]:
    """Return values of ``num_drafts`` that the strategy takes, none without it."""
    field = option_fields(subject.cls).get(COUNT)
    if field is None:
        return []
    return [count for count in (1, 2, 3) if field.metadata["option"].allows(count)]


def longest_block(dispatcher: Dispatcher) -> int:
    """Return how many tokens of the SLM the LLM judges at once, where it likes them."""
    answers = same_table(8).run(dispatcher, [[i] for i in range(8)], 12)
    counted = [answer.tally.as_dict() for answer in answers]
    return max(
        max(
            len(told["acceptance_histogram"]) - 1,
            -(-told["num_draft_tokens"] // max(told["num_spec_steps"], 1)),
        )
        for told in counted
    )
