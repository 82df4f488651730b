"""Scores by the law that a strategy's own ``score`` hook gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..dispatch import Dispatcher
from ..errors import HookError
from ..exchange import Positions
from ..models.finite import check_finite
from .gold import piece_of
from .ledger import Ledger
from .page import Page
from .passage import passages
from .reading import read_alike
from .request import Score, ScoreRequest, ScoringModel


class HookedScorer:
    """Both models read everything; the hook turns their logits into one law."""

    def __init__(
        self,
        requests: Sequence[ScoreRequest],
        slm: ScoringModel,
        llm: ScoringModel,
        dispatcher: Dispatcher,
        batch_size: int,
        ledger: Ledger,
    ) -> None:
        self._requests = requests
        self._slm = slm
        self._llm = llm
        self._dispatcher = dispatcher
        self._batch_size = batch_size
        self._ledger = ledger
        self._width = min(slm.vocab_size, llm.vocab_size)
        self._answered = False
        self.declined = False

    def run(self) -> Iterator[tuple[int, Score]]:
        """Yield every score; none, with ``declined`` set, where the hook declines.

        :raises HookError: the hook declined after it had answered.
        """
        window = min(self._slm.max_length, self._llm.max_length)
        work = passages(self._requests, range(len(self._requests)), window)
        models = (self._slm, self._llm)
        for slm_page, llm_page in read_alike(models, work, self._batch_size):
            self._ledger.count_read("slm", slm_page)
            self._ledger.count_read("llm", llm_page)
            yield from self._page(slm_page, llm_page)
            if self.declined:
                return
            # let go of the logits before the next forwards make new ones
            del slm_page, llm_page

    def _page(self, slm_page: Page, llm_page: Page) -> Iterator[tuple[int, Score]]:
        owners = [
            (index, token)
            for index, _ in llm_page.members()
            for token in self._requests[index].continuation
        ]
        pairs = list(zip(self._rows(slm_page), self._rows(llm_page), strict=True))
        size = piece_of(self._width)
        values, hits = [], []
        for start in range(0, len(pairs), size):
            part = slice(start, start + size)
            gold = torch.tensor([token for _, token in owners[part]])
            row = torch.tensor([index for index, _ in owners[part]])
            rows = torch.tensor(pairs[part])
            law = self._law(slm_page, llm_page, rows, gold, row)
            if law is None:
                return
            gold = gold.to(law.device)
            values.append(law.gather(-1, gold[:, None])[:, 0].cpu())
            hits.append((law.argmax(-1) == gold).cpu())
        yield from self._scores(llm_page, torch.cat(values), torch.cat(hits))

    def _law(
        self, slm_page: Page, llm_page: Page, rows: Tensor, gold: Tensor, row: Tensor
    ) -> Tensor | None:
        device = llm_page.device
        q = slm_page.logits(rows[:, 0])[:, : self._width]
        p = llm_page.logits(rows[:, 1])[:, : self._width]
        check_finite("slm", q.amax(-1).tolist())
        check_finite("llm", p.amax(-1).tolist())
        law = self._dispatcher.score(
            Positions(q.float().to(device), p.float(), gold.to(device), row.to(device))
        )
        if law is None and self._answered:
            name = type(self._dispatcher.strategy).__name__
            raise HookError(
                f"strategy {name}, score: expected an answer for all positions or "
                "for none, got None after a law"
            )
        self.declined = law is None
        self._answered = True
        return law

    def _rows(self, page: Page) -> Iterator[int]:
        for index, rows in page.members():
            yield from rows[-len(self._requests[index].continuation) :]

    def _scores(
        self, page: Page, values: Tensor, hits: Tensor
    ) -> Iterator[tuple[int, Score]]:
        start = 0
        for index, _ in page.members():
            end = start + len(self._requests[index].continuation)
            total, greedy = values[start:end].sum(), hits[start:end].all()
            yield index, Score(float(total), bool(greedy), self._ledger[index])
            start = end
