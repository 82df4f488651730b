"""The small model's move: read, route, draft."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..dispatch import Dispatcher
from ..exchange import Draft, Route, Step
from ..hook_checks import law_facts
from ..transfer import fetch, send
from .deferred import DeferredStep
from .drafted import DraftedToken, GivenLaws
from .observing import tell_committed
from .reading import Reader, SharedVocabulary
from .request import EmittedToken
from .row import Row
from .step_law import PositionLaws


@dataclass(frozen=True, slots=True)
class _Turn:
    """The rows that move, what the hooks see of them, and their laws.

    ``budget`` are the tokens that may join each row; ``laws`` is None where the
    strategy does not require the SLM.
    """

    rows: Sequence[Row]
    budget: Sequence[int]
    step: Step
    laws: PositionLaws | None


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
        self._hook_drafts = "draft" in dispatcher.hooks
        self._wants_hidden = "slm_hidden" in dispatcher.strategy.requires

    def __call__(self, rows: Sequence[Row]) -> None:
        """Move every row of ``rows`` by one SLM step."""
        able, budget = [], []
        for row in rows:
            room = row.room(self._holds)
            if room:
                able.append(row)
                budget.append(room)
            else:
                # a held row with one token left is a plain LLM step
                row.waiting = True
        if able:
            self._move(able, budget)

    def _move(self, rows: Sequence[Row], budget: Sequence[int]) -> None:
        laws = self._read(rows)
        turn = _Turn(rows, budget, self._step(rows, budget, laws), laws)
        verdicts, drawn = self._route(turn)
        drafting = [i for i, verdict in enumerate(verdicts) if verdict != Route.ASK]
        for i in (i for i, verdict in enumerate(verdicts) if verdict == Route.ASK):
            rows[i].waiting = True
            rows[i].asked = DraftedToken(-1, laws, i, laws, i)
        if not drafting:
            return
        before = [rows[i].answered for i in drafting]
        for i, draft in self._drafts(turn, drafting, drawn):
            self._add(rows[i], draft)
            self._settle(rows[i], verdicts[i], len(draft))
        if not self._holds:
            tell_committed(self._dispatcher, [rows[i] for i in drafting], before)

    def _read(self, rows: Sequence[Row]) -> PositionLaws | None:
        if self._reader is None:
            return None
        logits = self._reader.read(rows, [1] * len(rows))
        makers = [row.request.slm_law for row in rows]
        return PositionLaws(makers, lambda i: rows[i].sequence(), logits)

    def _step(
        self, rows: Sequence[Row], budget: Sequence[int], laws: PositionLaws | None
    ) -> Step:
        pending = [row.pending for row in rows]
        numbers = send([pending, budget], self._device)
        hidden = None
        if self._wants_hidden and self._reader is not None:
            hidden = self._reader.runner.last_hidden
        return DeferredStep(
            logits=None if laws is None else laws.logits,
            law=None if laws is None else lambda: laws.law,  # type: ignore[arg-type]
            pending=numbers[0],
            budget=numbers[1],
            states=[row.state for row in rows],
            hidden=hidden,
            sequences=lambda i: rows[i].sequence(),
        )

    def _route(self, turn: _Turn) -> tuple[list[int], list[int] | None]:
        """Return the verdicts and, where no hook drafts, a token for each row.

        The rows keep their signals.
        """
        laws, drawn = turn.laws, None
        if laws is None or self._reader is None:
            route = self._dispatcher.unread_route(turn.step)
        else:
            with self._reader.blamed(laws):
                route = self._dispatcher.unread_route(turn.step)
            if not self._hook_drafts:
                drawn = _draw(turn.rows, laws)
        best = None if laws is None else laws.best
        verdict, signal = (route.verdict, route.signal) if route else (None, None)
        best, verdicts, signals, tokens = fetch(best, verdict, signal, drawn)
        if self._reader is not None:
            self._reader.check(best)
        if verdicts is None:
            return [Route.KEEP] * len(turn.rows), tokens
        self._dispatcher.checks.route_values(verdicts, signals)
        for row, number in zip(turn.rows, signals or (), strict=bool(signals)):
            row.signal = number
        return verdicts, tokens

    def _drafts(
        self, turn: _Turn, members: Sequence[int], drawn: Sequence[int] | None
    ) -> Iterator[tuple[int, list[DraftedToken]]]:
        """Give what joins each row of ``members``: tokens of a hook, or one of q."""
        if self._hook_drafts:
            part = _select(turn.step, members, turn.rows)
            draft = self._dispatcher.unread_draft(part, self._vocabulary.size)
            if draft is not None:
                return self._proposed(draft, members, turn)
            if turn.laws is not None:
                (drawn,) = fetch(_draw(turn.rows, turn.laws))
        return _sampled(drawn, members, turn)

    def _proposed(
        self, draft: Draft, members: Sequence[int], turn: _Turn
    ) -> Iterator[tuple[int, list[DraftedToken]]]:
        facts = law_facts(draft.law)
        tokens, lengths, sums, lowest = fetch(draft.tokens, draft.length, *facts)
        budget, real = [turn.budget[i] for i in members], self._vocabulary.real
        self._dispatcher.checks.draft_values(
            tokens, lengths, budget, real, sums, lowest
        )
        proposed = [ids[:n] for ids, n in zip(tokens, lengths, strict=True)]
        return _hooked(draft, proposed, members, turn)

    def _add(self, row: Row, draft: Sequence[DraftedToken]) -> None:
        for count, token in enumerate(draft, start=1):
            row.pending += 1
            if self._holds:
                row.drafts.append(token)
                ended = token.token in row.request.eos
            else:
                ended = row.commit(EmittedToken(token.token, False, token.signal))
            if ended:
                # nothing behind it can be emitted
                row.tally.wasted_slm_tokens += len(draft) - count
                return

    def _settle(self, row: Row, verdict: int, drafted: int) -> None:
        full = self._holds and row.room(held=True) == 0
        ended = bool(row.drafts) and row.drafts[-1].token in row.request.eos
        row.waiting = verdict == Route.CHECK or full or ended or not drafted
        if drafted:
            row.signal = None


def _draw(rows: Sequence[Row], laws: PositionLaws) -> Tensor:
    """Draw one token for each row, with numbers that are not used up yet."""
    return laws.draw([row.numbers.peek() for row in rows])


def _sampled(
    drawn: Sequence[int] | None, members: Sequence[int], turn: _Turn
) -> Iterator[tuple[int, list[DraftedToken]]]:
    laws = turn.laws
    for i in members:
        if drawn is None or laws is None:
            yield i, []
            continue
        row = turn.rows[i]
        row.numbers.take()
        law = None if laws.certain(i) else laws
        yield i, [DraftedToken(drawn[i], law, i, laws, i, row.signal)]


def _hooked(
    draft: Draft, proposed: Sequence[list[int]], members: Sequence[int], turn: _Turn
) -> Iterator[tuple[int, list[DraftedToken]]]:
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


def _select(step: Step, members: Sequence[int], rows: Sequence[Row]) -> Step:
    if len(members) == len(step):
        return step
    index = send(members, step.pending.device)
    return DeferredStep(
        logits=None if step.logits is None else step.logits[index],
        law=lambda: None if step.law is None else step.law[index],  # type: ignore[arg-type]
        pending=step.pending[index],
        budget=step.budget[index],
        states=[step.states[i] for i in members],
        hidden=None if step.hidden is None else step.hidden[index],
        sequences=lambda j: rows[members[j]].sequence(),
    )
