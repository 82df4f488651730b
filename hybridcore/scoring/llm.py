"""``scoring=llm``: the log-likelihood of the large model alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .batched import Page, read
from .gold import gold_scores
from .ledger import Ledger
from .passage import passages
from .request import Score, ScoreRequest, ScoringModel


def score_llm(
    requests: Sequence[ScoreRequest],
    llm: ScoringModel,
    batch_size: int,
    ledger: Ledger,
) -> Iterator[tuple[int, Score]]:
    """Yield log p of every request, over the full width of the logits.

    Type of the softmax, order of the batches and padding are those of lm_eval's
    HFLM, so that the numbers are.
    """
    work = passages(requests, range(len(requests)), llm.max_length)
    for page in read(llm, work, batch_size):
        ledger.count_read("llm", page.passages)
        yield from _scores(requests, page, llm, ledger)
        # let go of the logits before the next forward makes new ones
        del page


def _scores(
    requests: Sequence[ScoreRequest], page: Page, llm: ScoringModel, ledger: Ledger
) -> Iterator[tuple[int, Score]]:
    rows: list[int] = []
    gold: list[int] = []
    for index, own in page.members():
        rows += own[-len(requests[index].continuation) :]
        gold += requests[index].continuation
    values, hits = gold_scores(page.logits, rows, gold, llm.softmax_dtype)
    start = 0
    for index, _ in page.members():
        end = start + len(requests[index].continuation)
        tally = ledger[index]
        tally.scored_from_llm = end - start
        total, greedy = values[start:end].sum(), hits[start:end].all()
        yield index, Score(float(total), bool(greedy), tally, (True,) * (end - start))
        start = end
