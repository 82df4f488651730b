"""The loop: draft, route, verify, for many rows at once.

Each row is in one of two phases: *drafting* (the SLM moves) or *waiting* (the LLM
must move). Rows enter as places become free and never influence each other.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice

import torch

from ..dispatch import Dispatcher
from ..errors import RequestError
from ..exchange import Request
from ..models.runner import CausalRunner
from .drafting_guard import DraftingGuard
from .guarded_moves import Clock, GuardedDrafting, GuardedJudging, Move
from .llm_move import LlmMove
from .patience import Patience
from .reading import Reader, SharedVocabulary
from .request import Answer, GenerationRequest
from .row import Row
from .slm_move import SlmMove


class Engine:
    """Answers requests with a pair of models and one strategy.

    :param slm: the small model, or None where the strategy does not require it.
    :param llm: the large model.
    :param dispatcher: the strategy's hooks.
    :param vocabulary: the ids both models know.
    :param batch_size: rows in flight; each runner needs as many slots.
    :param adaptive: draft as many tokens as pay, by :mod:`.drafting_guard`; for
        strategies that are :meth:`~hybridcore.Strategy.adaptable`.
    :param clock: seconds from any point in time, for ``adaptive``.
    """

    def __init__(
        self,
        slm: CausalRunner | None,
        llm: CausalRunner,
        dispatcher: Dispatcher,
        vocabulary: SharedVocabulary,
        batch_size: int = 1,
        adaptive: bool = False,
        clock: Clock = time.perf_counter,
    ) -> None:
        requires = dispatcher.strategy.requires
        drafter = Reader(slm, vocabulary, "slm") if slm and "slm" in requires else None
        if slm is not None:
            slm.want_hidden = "slm_hidden" in requires
        verifier = Reader(llm, vocabulary, "llm")
        device = slm.device if slm is not None else llm.device
        self._readers = [verifier] if drafter is None else [drafter, verifier]
        self._slm_move: Move = SlmMove(drafter, dispatcher, vocabulary, device)
        self._llm_move: Move = LlmMove(verifier, drafter, dispatcher)
        if adaptive:
            guard = DraftingGuard()
            self._slm_move = GuardedDrafting(self._slm_move, drafter, guard, clock)
            self._llm_move = GuardedJudging(self._llm_move, verifier, guard, clock)
        self._dispatcher = dispatcher
        self._batch_size = batch_size
        price = llm.parameters / slm.parameters if slm else 1.0
        self._patience = Patience(price)

    @torch.inference_mode()
    def run(self, requests: Iterable[GenerationRequest]) -> Iterator[Answer]:
        """Yield the answers in the order in which they finish.

        A caller that stops early gives the places of the rows in flight back by
        closing the generator, and so does every error.

        :raises RequestError: a prompt is empty.
        :raises ModelError: a model gives logits that are not finite.
        :raises HookError: a hook fails, or returns what it must not.
        """
        queue = iter(requests)
        rows: list[Row] = []
        self._patience.reset()
        try:
            while True:
                free = self._batch_size - len(rows)
                rows += [self._admit(request) for request in islice(queue, free)]
                if not rows:
                    return
                self._advance([row for row in rows if row.finish is None])
                done = [row for row in rows if row.finish is not None]
                rows = [row for row in rows if row.finish is None]
                # all of them before any is given out: the caller may not come back
                for row in done:
                    self._leave(row)
                for row in done:
                    yield row.answer()
        finally:
            for row in rows:
                self._leave(row)

    def _admit(self, request: GenerationRequest) -> Row:
        if not request.prompt:
            raise RequestError(
                f"prompt {request.prompt!r} of request {request.key!r}: expected at "
                "least one token id; begin with the BOS or EOS token"
            )
        state = self._dispatcher.start(
            Request(
                tuple(request.prompt), request.max_new_tokens, request.generation_kwargs
            )
        )
        row = Row(request, state)
        if request.max_new_tokens <= 0:
            row.finish = "length"
        return row

    def _advance(self, rows: list[Row]) -> None:
        drafting = [row for row in rows if not row.waiting]
        if drafting:
            self._patience.sit_out(len(rows) - len(drafting))
            self._slm_move(drafting)
        alive = [row for row in rows if row.finish is None]
        waiting = [row for row in alive if row.waiting]
        if waiting and (len(waiting) == len(alive) or self._patience.spent()):
            self._llm_move(waiting)
            self._patience.reset()

    def _leave(self, row: Row) -> None:
        for reader in self._readers:
            reader.leave(row)
