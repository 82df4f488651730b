"""Scores by a strategy's own law, where both models are tables."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import torch
from torch import Tensor

from ..dispatch import Dispatcher
from ..scoring import Score, ScoreRequest, ScoringModel, score
from .pair import TablePair

Scored = list[Score]


def table_scores(
    dispatcher: Dispatcher,
    pair: TablePair,
    requests: Sequence[ScoreRequest],
    batch: int = 8,
    window: int = 64,
) -> Scored:
    """Return the scores in the order of ``requests``.

    :param window: longest input of both models, in tokens.
    """
    slm = _model(pair.q, window, pair.hidden)
    llm = _model(pair.p, window, None)
    found = dict(
        score(
            requests,
            slm=slm,
            llm=llm,
            dispatcher=dispatcher,
            mode="strategy",
            batch_size=batch,
        )
    )
    return [found[i] for i in range(len(requests))]


def every_text(
    context: tuple[int, ...], size: int, length: int
) -> tuple[list[tuple[int, ...]], list[ScoreRequest]]:
    """Return all texts of ``length`` tokens, and the requests to score them."""
    texts = list(itertools.product(range(size), repeat=length))
    return texts, [ScoreRequest(context, text) for text in texts]


def mixed_requests(size: int) -> list[ScoreRequest]:
    """Return requests with contexts and continuations of one to six tokens."""
    draw = random.Random(6)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(draw.randrange(size) for _ in range(count))

    lengths = ((1, 1), (2, 3), (1, 4), (5, 1), (3, 2), (4, 4), (2, 1), (6, 3), (1, 2))
    return [ScoreRequest(ids(before), ids(after)) for before, after in lengths]


def by_hand(table: Tensor, request: ScoreRequest) -> float:
    """Return the log-likelihood that a table alone gives, by a plain loop."""
    law = table.log_softmax(-1)
    text = (request.context[-1], *request.continuation)
    return float(sum(law[a, b] for a, b in itertools.pairwise(text)))


def _model(table: Tensor, window: int, hidden: Tensor | None) -> ScoringModel:
    def with_hidden(ids: Tensor) -> tuple[Tensor, Tensor]:
        assert hidden is not None
        return table[ids], hidden[ids]

    return ScoringModel(
        forward=lambda ids: table[ids],
        vocab_size=table.shape[1],
        max_length=window,
        device=torch.device("cpu"),
        forward_hidden=None if hidden is None else with_hidden,
    )
