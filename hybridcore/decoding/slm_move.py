"""The small model's move: read, route, draft."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import laws
from ..dispatch import Dispatcher
from ..exchange import Draft, Outcome, Route, Step
from .reading import Reader, SharedVocabulary
from .request import EmittedToken
from .row import DraftedToken, Row
from .step_law import laws_of


class SlmMove:
    """Gives each drafting row its next token, or sends it to the LLM.

    ``reader`` is None where the strategy does not require the SLM.
    """

    def __init__(
        self,
        reader: Reader | None,
        dispatcher: Dispatcher,
        vocabulary: SharedVocabulary,
        device: torch.device,
    ) -> None:
        self._reader = reader
        self._dispatcher = dispatcher
        self._vocabulary = vocabulary
        self._device = device
        self._holds = dispatcher.strategy.holds()
        self._wants_hidden = "slm_hidden" in dispatcher.strategy.requires

    def __call__(self, rows: Sequence[Row]) -> None:
        """Move every row of ``rows`` by one SLM step."""
        able = [row for row in rows if row.room(self._holds) > 0]
        for row in rows:
            # a held row with one token left is a plain LLM step
            row.waiting = row.room(self._holds) == 0
        if able:
            self._move(able)

    def _move(self, rows: Sequence[Row]) -> None:
        step = self._step(rows)
        route = self._dispatcher.route_token(step)
        verdicts = [Route.KEEP] * len(rows) if route is None else route.verdict.tolist()
        signals = self._signals(route, len(rows))
        drafting = [i for i, v in enumerate(verdicts) if v != Route.ASK]
        for i in (i for i, v in enumerate(verdicts) if v == Route.ASK):
            self._ask(rows[i], step, i, signals[i])
        if drafting:
            before = [rows[i].answered for i in drafting]
            self._draft(rows, step, drafting, signals)
            self._observe([rows[i] for i in drafting], before)
        for i in drafting:
            self._settle(rows[i], verdicts[i])

    def _step(self, rows: Sequence[Row]) -> Step:
        logits = law = hidden = None
        if self._reader is not None:
            logits = self._reader.read(rows, [1] * len(rows))
            makers = [row.request.slm_law for row in rows]
            law = laws_of(makers, lambda i: rows[i].sequence(), logits)
            hidden = self._reader.runner.last_hidden if self._wants_hidden else None
        return Step(
            logits=logits,
            law=law,
            pending=self._whole([row.pending for row in rows]),
            budget=self._whole([row.room(self._holds) for row in rows]),
            states=[row.state for row in rows],
            hidden=hidden,
            sequences=lambda i: rows[i].sequence(),
        )

    def _ask(self, row: Row, step: Step, i: int, signal: float | None) -> None:
        row.waiting = row.asked = True
        row.asked_signal = signal
        if step.law is not None and step.logits is not None:
            row.asked_law, row.asked_logits = step.law[i], step.logits[i]

    def _draft(
        self,
        rows: Sequence[Row],
        step: Step,
        members: Sequence[int],
        signals: Sequence[float | None],
    ) -> None:
        part = _select(step, members, rows)
        draft = self._dispatcher.draft(part)
        if draft is None:
            draft = self._sampled(part, [rows[i] for i in members])
        lengths = draft.length.tolist()
        tokens = draft.tokens.tolist()
        for j, i in enumerate(members):
            proposed = tokens[j][: lengths[j]]
            self._dispatcher.check_drafted(proposed, self._vocabulary.real)
            self._add(rows[i], proposed, draft, part, j, signals[i])

    def _sampled(self, step: Step, rows: Sequence[Row]) -> Draft:
        if step.law is None:
            return Draft(
                torch.zeros(len(rows), 0, dtype=torch.long, device=self._device),
                self._whole([0] * len(rows)),
            )
        uniform = torch.tensor(
            [row.random.random() for row in rows],
            dtype=torch.float64,
            device=step.law.device,
        )
        tokens = laws.sample(step.law, uniform)
        return Draft(tokens[:, None], torch.ones_like(tokens), step.law[:, None])

    def _add(
        self,
        row: Row,
        tokens: Sequence[int],
        draft: Draft,
        step: Step,
        j: int,
        signal: float | None,
    ) -> None:
        for k, token in enumerate(tokens):
            row.pending += 1
            if self._holds:
                law = None if draft.law is None else draft.law[j, k]
                logits = step.logits[j] if k == 0 and step.logits is not None else None
                row.drafts.append(DraftedToken(token, law, logits, signal))
            elif row.commit(EmittedToken(token, False, signal)):
                break
        if not tokens:
            row.waiting = True

    def _settle(self, row: Row, verdict: int) -> None:
        full = self._holds and row.room(held=True) == 0
        ended = bool(row.drafts) and row.drafts[-1].token in row.request.eos
        if verdict == Route.CHECK or full or ended:
            row.waiting = True

    def _observe(self, rows: Sequence[Row], before: Sequence[int]) -> None:
        if self._holds:
            return
        emitted = [row.last_emitted(b) for row, b in zip(rows, before, strict=True)]
        self._dispatcher.observe(
            Outcome(
                tokens=[[e.token for e in row] for row in emitted],
                from_llm=[[e.from_llm for e in row] for row in emitted],
                drafted=[0] * len(rows),
                accepted=[0] * len(rows),
                states=[row.state for row in rows],
            )
        )

    def _signals(self, route: Route | None, count: int) -> list[float | None]:
        if route is None or route.signal is None:
            return [None] * count
        return list(route.signal.tolist())

    def _whole(self, values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=self._device)


def _select(step: Step, members: Sequence[int], rows: Sequence[Row]) -> Step:
    if len(members) == len(step):
        return step
    index = torch.tensor(members, device=step.pending.device)
    return Step(
        logits=None if step.logits is None else step.logits[index],
        law=None if step.law is None else step.law[index],
        pending=step.pending[index],
        budget=step.budget[index],
        states=[step.states[i] for i in members],
        hidden=None if step.hidden is None else step.hidden[index],
        sequences=lambda j: rows[members[j]].sequence(),
    )
