"""One request while it is answered: everything it owns, and how it commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tally import Tally
from .drafted import DraftedToken
from .randomness import Numbers
from .request import Answer, EmittedToken, GenerationRequest
from .stopping import StopWatch


class Row:
    """A request in flight.

    Attributes:
        ids: prompt and committed tokens.
        drafts: tokens held back for a verdict, in order.
        pending: tokens the SLM added since the LLM last moved, held or committed.
        waiting: the LLM must move; otherwise the SLM does.
        asked: what the SLM had at the position that ASK gave up, or None.
        signal: what ``route_token`` said of the position that the LLM is to fill.
        limit: most tokens of a held block, None for as many as the strategy drafts.
        numbers: the row's own randomness.
        slm_slot, llm_slot: places in the runners, None before the first read.
        finish: why the row ended, None while it runs.
    """

    def __init__(self, request: GenerationRequest, state: Any) -> None:
        self.request = request
        self.state = state
        self.ids = list(request.prompt)
        self.drafts: list[DraftedToken] = []
        self.pending = 0
        self.waiting = False
        self.finish: str | None = None
        self.slm_slot: int | None = None
        self.llm_slot: int | None = None
        self.tally = Tally(requests=1)
        self.numbers = Numbers(request.seed)
        self._answer: list[int] = []
        self._provenance: list[EmittedToken] = []
        self._stop = StopWatch(
            request.max_new_tokens, request.eos, request.stops, request.decode
        )
        self.continue_drafting()

    def continue_drafting(self) -> None:
        """Begin a new block: the SLM moves next."""
        self.waiting = False
        self.pending = 0
        self.drafts = []
        self.asked: DraftedToken | None = None
        self.signal: float | None = None
        self.limit: int | None = None

    @property
    def answered(self) -> int:
        """How many tokens have been committed."""
        return len(self._provenance)

    def room(self, held: bool) -> int:
        """Return how many tokens may still join the block.

        A held block leaves one token of the budget for the LLM, and keeps its limit.
        """
        left = self.request.max_new_tokens - self.answered
        if held:
            left -= 1
            if self.limit is not None:
                left = min(left, self.limit)
        return max(0, left - len(self.drafts))

    def sequence(self) -> list[int]:
        """Return prompt, answer and drafts as one list of ids."""
        if not self.drafts:
            return self.ids
        return self.ids + [draft.token for draft in self.drafts]

    def tail(self, start: int) -> list[int]:
        """Return the ids from ``start`` on of prompt, answer and drafts."""
        drafts = self.drafts[max(0, start - len(self.ids)) :]
        return self.ids[start:] + [draft.token for draft in drafts]

    def commit(self, emitted: EmittedToken) -> bool:
        """Emit one token; return True where it ends the row."""
        self.ids.append(emitted.token)
        self._answer.append(emitted.token)
        self._provenance.append(emitted)
        self.tally.tokens_out += 1
        if emitted.from_llm:
            self.tally.tokens_from_llm += 1
        else:
            self.tally.tokens_from_slm += 1
        self.finish = self._stop.finish(self._answer)
        if self.request.on_token is not None:
            self.request.on_token(emitted)
        return self.finish is not None

    def commit_drafts(self, accepted: int) -> int:
        """Emit the first ``accepted`` drafts; return how many were, up to a stop."""
        for count, draft in enumerate(self.drafts[:accepted], start=1):
            token = EmittedToken(draft.token, False, draft.signal, accepted=True)
            if self.commit(token):
                return count
        return accepted

    def emitted_since(self, count: int) -> Sequence[EmittedToken]:
        """Return what was committed after the first ``count`` tokens."""
        return self._provenance[count:]

    def answer(self) -> Answer:
        """Return the finished answer."""
        if not self.tally.llm_forwards:
            self.tally.llm_requests_skipped = 1
        return Answer(
            request=self.request,
            tokens=tuple(self._answer),
            finish=self.finish or "length",
            provenance=tuple(self._provenance),
            tally=self.tally,
        )
