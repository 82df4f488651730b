"""The hooks of a strategy: four that decide, two for those that keep state.

Each is called once for a whole batch of rows and gets one object. The first
answer that is not None counts; None means "I decline" and the default applies.
Nothing here may change the tensors it is given, or read them after it has returned.
What a hook returns lies on the device of what it was given; wrong types, shapes and
values are a :class:`~hybridcore.errors.HookError`, and so is a hook that raises.
"""

from __future__ import annotations

from typing import Any

import pluggy
from torch import Tensor

from .exchange import (
    Block,
    Draft,
    Outcome,
    Positions,
    Request,
    Route,
    Step,
    Verdict,
)

PROJECT = "hybridlm"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The specification that every strategy is checked against."""

    @hookspec(firstresult=True)
    def route_token(self, step: Step) -> Route | None:
        """Decide who makes the next token of each row.

        Called once for each SLM step, before the SLM's token is drawn.

        :param step: B rows at the position to decide; ``step.logits`` is raw.
        :return: a :class:`Route` with B verdicts; None means KEEP everywhere. A
            signal stays with the token that comes to stand at its position.
        """

    @hookspec(firstresult=True)
    def draft(self, step: Step) -> Draft | None:
        """Propose the next tokens of each row in place of one draw from q.

        Called after ``route_token``, for the rows that did not ASK.

        :param step: the rows that draft; at most ``step.budget`` tokens each.
        :return: a :class:`Draft`; None means one token drawn from ``step.law``.
        """

    @hookspec(firstresult=True)
    def verify(self, block: Block) -> Verdict | None:
        """Judge drafted blocks by the laws of both models.

        A strategy that has this hook *holds* its drafts: nothing is emitted
        before the verdict. One that has not *trusts* them.

        :param block: B rows, the drafts and the laws at each position.
        :return: a :class:`Verdict`; None accepts every draft, and the next
            token is drawn from p. A row of zeros in its ``next_law`` keeps what
            was accepted and emits no further token in that row.
        """

    @hookspec(firstresult=True)
    def score(self, positions: Positions) -> Tensor | None:
        """Give the law that this strategy induces at gold-conditioned positions.

        :param positions: N positions with the logits of both models.
        :return: ``[N, V]`` float32 log-probabilities, each row normalised; None
            lets the core derive the law from ``route_token`` or losslessness.
        """

    @hookspec(firstresult=True)
    def start(self, request: Request) -> Any:
        """Make the state of a row that begins; decoding hands it back.

        :param request: the prompt and its budget.
        :return: any object, never shared between rows; None for no state.
        """

    @hookspec
    def observe(self, outcome: Outcome) -> None:
        """Learn what a step committed, for example to adapt the draft length.

        :param outcome: tokens, their origin, drafted and accepted counts, states.
        """
