"""Scores by the law of a stateless trusting strategy: q, or p where it asks.

Without an SLM and a strategy every position is the LLM's: this is ``scoring=llm``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..dispatch import Dispatcher
from .gold import gold_scores
from .ledger import Ledger
from .page import Page
from .passage import passages
from .reading import read
from .request import Score, ScoreRequest, ScoringModel
from .routing import Router
from .trail import Trail


@dataclass(slots=True)
class Half:
    """What one model said of the tokens of one request that are its to score."""

    trail: Trail
    values: Tensor | None
    greedy: bool


class RoutedScorer:
    """The SLM reads every request, the LLM those that hold a position of its own.

    :param slm: None where the LLM scores everything.
    :param dispatcher: the strategy's hooks. None is ``scoring=llm``: type and width
        of the softmax, order of the batches and padding are those of lm_eval's
        HFLM, so that the numbers are.
    """

    def __init__(
        self,
        requests: Sequence[ScoreRequest],
        slm: ScoringModel | None,
        llm: ScoringModel,
        dispatcher: Dispatcher | None,
        batch_size: int,
        ledger: Ledger,
    ) -> None:
        self._requests = requests
        self._slm = slm
        self._llm = llm
        self._batch_size = batch_size
        self._ledger = ledger
        models = [llm] if slm is None else [slm, llm]
        self._max_length = min(model.max_length for model in models)
        self._width: int | None = None
        self._router: Router | None = None
        self._hidden = False
        if dispatcher is not None:
            self._width = min(model.vocab_size for model in models)
            self._router = Router(dispatcher, self._width, llm.device)
            self._hidden = "slm_hidden" in dispatcher.strategy.requires

    def run(self) -> Iterator[tuple[int, Score]]:
        """Yield every score, those without the LLM first."""
        asked: dict[int, Half] = {}
        for index, half in self._slm_halves(range(len(self._requests))):
            if any(half.trail.from_llm):
                asked[index] = half
            else:
                self._ledger[index].llm_requests_skipped = 1
                yield index, self._score(index, half)
        work = passages(self._requests, asked, self._max_length)
        for page in read(self._llm, work, self._batch_size):
            self._ledger.count_read("llm", page)
            trails = {i: asked[i].trail for p in page.passages for i in p.members}
            for index, half in self._halves(page, trails, self._llm, True):
                yield index, self._score(index, asked.pop(index), half)
            del page

    def _slm_halves(self, indices: Iterable[int]) -> Iterator[tuple[int, Half]]:
        if self._slm is None:
            trails = {i: self._trail(i, ()) for i in indices}
            self._settle(list(trails.values()), None)
            for index, trail in trails.items():
                yield index, Half(trail, None, True)
            return
        work = passages(self._requests, indices, self._max_length)
        for page in read(self._slm, work, self._batch_size, self._hidden):
            self._ledger.count_read("slm", page)
            trails = self._settled(page)
            yield from self._halves(page, trails, self._slm, False)
            del page

    def _settled(self, page: Page) -> dict[int, Trail]:
        """Walk the page; requests that differ in the last token share a trail."""
        shared: dict[tuple[int, int], Trail] = {}
        trails = {}
        for number, (passage, rows) in enumerate(
            zip(page.passages, page.rows, strict=True)
        ):
            for index in passage.members:
                size = len(self._requests[index].continuation)
                if (number, size) not in shared:
                    shared[number, size] = self._trail(index, rows[-size:])
                trails[index] = shared[number, size]
        self._settle(list(shared.values()), page)
        return trails

    def _settle(self, trails: Sequence[Trail], page: Page | None) -> None:
        if self._router is not None:
            self._router.settle(trails, page)
            return
        for trail in trails:
            trail.keep_all()

    def _trail(self, index: int, rows: Sequence[int]) -> Trail:
        request = self._requests[index]
        return Trail(request.context, request.continuation, rows)

    def _halves(
        self, page: Page, trails: dict[int, Trail], model: ScoringModel, llm: bool
    ) -> Iterator[tuple[int, Half]]:
        rows: list[int] = []
        gold: list[int] = []
        sizes = []
        for index, own in page.members():
            continuation = self._requests[index].continuation
            own = own[-len(continuation) :]
            flags = trails[index].from_llm
            mine = [j for j, flag in enumerate(flags) if flag == llm]
            rows += [own[j] for j in mine]
            gold += [continuation[j] for j in mine]
            sizes.append(len(mine))
        role = None if self._router is None else ("llm" if llm else "slm")
        values, hits = gold_scores(
            page, rows, gold, model.softmax_dtype, self._width, role
        )
        parts = zip(torch.split(values, sizes), torch.split(hits, sizes), strict=True)
        for (index, _), (value, hit) in zip(page.members(), parts, strict=True):
            said = value if len(value) else None
            yield index, Half(trails[index], said, bool(hit.all()))

    def _score(self, index: int, *halves: Half) -> Score:
        trail = halves[0].trail
        tally = self._ledger[index]
        tally.scored_from_llm = sum(trail.from_llm)
        silent = all(signal is None for signal in trail.signals)
        # an empty half must not decide the type that the other one is summed in
        values = [half.values for half in halves if half.values is not None]
        return Score(
            float(torch.cat(values).sum()),
            all(half.greedy for half in halves),
            tally,
            tuple(trail.from_llm),
            None if silent else tuple(trail.signals),
        )
