"""What both models say of scored tokens, read once and used for many strategies.

The scores of a strategy that only thresholds a signal follow from four numbers at
each gold token: the log of both laws, the signal, and the threshold. So one pass of
both models serves all thresholds, and the oracle, which asks where the argmaxes
differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..harness.hybrid_lm import HybridLM, Replay
from ..harness.scoring_model import scoring_model
from ..scoring import Score, ScoreRequest, ScoringModel
from ..scoring.ledger import Ledger
from ..scoring.page import Page
from ..scoring.passage import passages
from ..scoring.reading import read
from ..strategy import Strategy
from .family import Family, Routed, family_of, signals_of
from .gold_tokens import GoldTokens, gold_tokens
from .routed_page import routing_of

Scores = Iterator[tuple[int, Score]]
_ROWS = 8  # in one forward, where no number is given


@dataclass
class Line:
    """What was read of one request."""

    slm: GoldTokens
    llm: GoldTokens | None = None
    signals: dict[Family, Tensor] = field(default_factory=dict)


class Recording:
    """Reads requests when they are first met.

    :param strategies: those whose families' signals are recorded.
    """

    def __init__(self, lm: HybridLM, strategies: Sequence[Strategy]) -> None:
        slm = lm.pair.slm
        assert slm is not None
        pair = lm.pair
        self._models = [scoring_model(m, pair.tree(m)) for m in (slm, pair.llm)]
        self._window = min(model.max_length for model in self._models)
        self._width = min(model.vocab_size for model in self._models)
        self._rows = _ROWS if lm.batch_size == "auto" else int(lm.batch_size)
        self._strategies = strategies
        self._hidden = any("slm_hidden" in s.requires for s in strategies)
        self._families: dict[Family, list[Strategy]] = {}
        self._alone: list[Strategy] = []
        self._lines: dict[tuple[tuple[int, ...], tuple[int, ...]], Line] = {}

    def replay(self, strategy: Strategy) -> Replay:
        """Return what scores requests by the law that a strategy induces.

        It gives None where the strategy does not threshold its signal.
        """

        def scores(requests: Sequence[ScoreRequest]) -> Scores | None:
            self._read_all(requests, with_llm=True)
            family = self._family(strategy)
            return None if family is None else self._thresholded(requests, strategy)

        return scores

    def oracle(self, requests: Sequence[ScoreRequest]) -> Scores:
        """Score requests by p where the argmaxes differ, by q elsewhere."""
        self._read_all(requests, with_llm=True)
        for index, request in enumerate(requests):
            line = self._lines[_key(request)]
            assert line.llm is not None
            asked = line.slm.best != line.llm.best
            yield index, self._score(request, line, asked, None)

    def signals(
        self, requests: Sequence[ScoreRequest], strategy: Strategy
    ) -> tuple[Family, Tensor] | None:
        """Return a strategy's family and its signals at all gold tokens of requests.

        The LLM is not run. None where the strategy does not threshold its signal.
        """
        self._read_all(requests, with_llm=False)
        family = self._family(strategy)
        if family is None:
            return None
        lines = [self._lines[_key(request)] for request in requests]
        return family, torch.cat([line.signals[family] for line in lines])

    def _family(self, strategy: Strategy) -> Family | None:
        return next((f for f in self._families if f.has(strategy)), None)

    def _thresholded(
        self, requests: Sequence[ScoreRequest], strategy: Strategy
    ) -> Scores:
        family = self._family(strategy)
        assert family is not None
        for index, request in enumerate(requests):
            line = self._lines[_key(request)]
            signals = line.signals[family]
            asked = family.asks(signals, family.threshold(strategy))
            yield index, self._score(request, line, asked, signals)

    def _read_all(self, requests: Sequence[ScoreRequest], with_llm: bool) -> None:
        known = self._lines
        new = {_key(r): r for r in requests if _key(r) not in known}
        self._read_slm(list(new.values()))
        if with_llm:
            rest = {_key(r): r for r in requests if known[_key(r)].llm is None}
            self._read_llm(list(rest.values()))

    def _pages(
        self, model: ScoringModel, requests: Sequence[ScoreRequest], hidden: bool
    ) -> Iterator[tuple[Page, dict[int, GoldTokens]]]:
        if not requests:
            return
        work = passages(requests, range(len(requests)), self._window)
        for page in read(model, work, self._rows, hidden):
            yield page, gold_tokens(page, requests, model.softmax_dtype, self._width)

    def _read_slm(self, requests: Sequence[ScoreRequest]) -> None:
        for page, said in self._pages(self._models[0], requests, self._hidden):
            for index, tokens in said.items():
                self._lines[_key(requests[index])] = Line(tokens)
            routed = routing_of(page, requests, self._width)
            self._find_families(routed)
            for family in list(self._families):
                self._record(page, requests, family, routed)

    def _read_llm(self, requests: Sequence[ScoreRequest]) -> None:
        for _, said in self._pages(self._models[1], requests, hidden=False):
            for index, tokens in said.items():
                self._lines[_key(requests[index])].llm = tokens

    def _find_families(self, routed: Routed) -> None:
        for strategy in self._strategies:
            if strategy in self._alone:
                continue
            family = self._family(strategy) or family_of(strategy, routed)
            if family is None:
                self._alone.append(strategy)
                continue
            members = self._families.setdefault(family, [])
            if strategy not in members:
                members.append(strategy)

    def _record(
        self,
        page: Page,
        requests: Sequence[ScoreRequest],
        family: Family,
        routed: Routed,
    ) -> None:
        signals = signals_of(family, self._families[family], routed)
        if signals is None:
            self._alone += self._families.pop(family)
            return
        indices = [index for index, _ in page.members()]
        sizes = [len(requests[index].continuation) for index in indices]
        for index, part in zip(indices, signals.split(sizes), strict=True):
            self._lines[_key(requests[index])].signals[family] = part

    def _score(
        self, request: ScoreRequest, line: Line, asked: Tensor, signals: Tensor | None
    ) -> Score:
        assert line.llm is not None
        slm, llm = line.slm, line.llm
        # in the order in which scoring itself adds them up
        values = torch.cat([slm.values[~asked], llm.values[asked]])
        hits = torch.where(asked, llm.hits(request), slm.hits(request))
        tally = Ledger([request], self._window)[0]
        tally.scored_from_llm = int(asked.sum())
        tally.llm_requests_skipped = int(not asked.any())
        return Score(
            log_likelihood=float(values.sum()),
            is_greedy=bool(hits.all()),
            tally=tally,
            from_llm=tuple(asked.tolist()),
            signals=None if signals is None else tuple(signals.tolist()),
        )


def _key(request: ScoreRequest) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(request.context), tuple(request.continuation)
