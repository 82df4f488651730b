"""Scores by the law of a stateless trusting strategy: q, or p where it asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .batched import Page, read
from .gold import gold_scores
from .ledger import Ledger
from .passage import passages
from .request import Score, ScoreRequest, ScoringModel
from .routing import Router
from .trail import Trail


@dataclass(slots=True)
class Half:
    """What one model said of the tokens of one request that are its to score."""

    trail: Trail
    values: Tensor
    greedy: bool


class RoutedScorer:
    """The SLM reads every request, the LLM those that hold a position of its own."""

    def __init__(
        self,
        requests: Sequence[ScoreRequest],
        slm: ScoringModel | None,
        llm: ScoringModel,
        router: Router,
        batch_size: int,
        ledger: Ledger,
        hidden: bool = False,
    ) -> None:
        self._requests = requests
        self._slm = slm
        self._llm = llm
        self._router = router
        self._batch_size = batch_size
        self._ledger = ledger
        self._hidden = hidden
        models = [llm] if slm is None else [slm, llm]
        self._max_length = min(model.max_length for model in models)
        self._width = min(model.vocab_size for model in models)

    def run(self, indices: Iterable[int]) -> Iterator[tuple[int, Score]]:
        """Yield the scores of ``indices``, those without the LLM first."""
        asked: dict[int, Half] = {}
        for index, half in self._slm_halves(indices):
            if any(half.trail.from_llm):
                asked[index] = half
            else:
                self._ledger[index].llm_requests_skipped = 1
                yield index, self._score(index, half)
        work = passages(self._requests, asked, self._max_length)
        for page in read(self._llm, work, self._batch_size):
            self._ledger.count_read("llm", page.passages)
            trails = {i: asked[i].trail for p in page.passages for i in p.members}
            for index, half in self._halves(page, trails, self._llm, True):
                yield index, self._score(index, asked.pop(index), half)
            del page

    def _slm_halves(self, indices: Iterable[int]) -> Iterator[tuple[int, Half]]:
        if self._slm is None:
            trails = {i: self._trail(i, ()) for i in indices}
            self._router.settle(list(trails.values()), None)
            for index, trail in trails.items():
                yield index, Half(trail, torch.empty(0), True)
            return
        work = passages(self._requests, indices, self._max_length)
        for page in read(self._slm, work, self._batch_size, self._hidden):
            self._ledger.count_read("slm", page.passages)
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
        self._router.settle(list(shared.values()), page)
        return trails

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
        values, hits = gold_scores(
            page.logits, rows, gold, model.softmax_dtype, self._width
        )
        parts = zip(torch.split(values, sizes), torch.split(hits, sizes), strict=True)
        for (index, _), (value, hit) in zip(page.members(), parts, strict=True):
            yield index, Half(trails[index], value, bool(hit.all()))

    def _score(self, index: int, *halves: Half) -> Score:
        trail = halves[0].trail
        tally = self._ledger[index]
        tally.scored_from_llm = sum(trail.from_llm)
        silent = all(signal is None for signal in trail.signals)
        return Score(
            float(torch.cat([half.values for half in halves]).sum()),
            all(half.greedy for half in halves),
            tally,
            tuple(trail.from_llm),
            None if silent else tuple(trail.signals),
        )
