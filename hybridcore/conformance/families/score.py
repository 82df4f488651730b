"""SCORE: the induced law is one, is fair, and is the law that decoding follows.

For strategies whose score is simply the LLM's there is nothing to check here.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace

import torch

from ...decoding.step_law import WarpLaw
from ...exchange import Positions
from ...scoring import Score, ScoreRequest
from .. import exact
from ..capabilities import HOLDS, INDUCES, SCORES
from ..check import Failure, Family
from ..lossless import ALPHA, SAMPLES
from ..pair import TablePair
from ..subject import Subject
from ..table_scores import every_text, mixed_requests, table_scores

SCORE = Family("SCORE")
SIZE = 5


@SCORE.check("scores are finite log-probabilities", INDUCES, contract=True)
def log_probabilities(subject: Subject) -> None:
    pair = TablePair.random(SIZE, seed=8)
    for length in (1, 2):
        texts, requests = every_text((0,), SIZE, length)
        found = table_scores(subject.dispatcher(), pair, requests)
        for text, score in zip(texts, found, strict=True):
            if not -1e4 < score.log_likelihood <= 1e-5:  # False for NaN, too
                raise Failure(
                    "a log-probability",
                    f"{score.log_likelihood}",
                    f"{list(text)} behind [0]",
                )


@SCORE.check("texts sum to one, so no law looks at the answer; is_greedy fits", INDUCES)
def blind(subject: Subject) -> None:
    pair = TablePair.random(SIZE, seed=9)
    for length, context in ((1, (0,)), (1, (3, 1)), (2, (0,)), (2, (3, 1))):
        texts, requests = every_text(context, SIZE, length)
        found = table_scores(subject.dispatcher(), pair, requests)
        total = sum(math.exp(score.log_likelihood) for score in found)
        if abs(total - 1) > 1e-3:
            example = f"all texts of {length} tokens behind {list(context)}"
            raise Failure("probabilities that sum to 1", f"{total:.6f}", example)
        _marks_the_best(texts, found, context)
    if "score" in subject.hooks:
        _does_not_peek(subject)


@SCORE.check("a score does not depend on the batch, or on the order", INDUCES)
def batches(subject: Subject) -> None:
    pair = TablePair.random(SIZE, seed=10)
    requests = mixed_requests(SIZE)
    dispatcher = subject.dispatcher()
    alone = [table_scores(dispatcher, pair, [r])[0].log_likelihood for r in requests]
    ways = {
        "in one batch of 8": table_scores(dispatcher, pair, requests),
        "one at a time": table_scores(dispatcher, pair, requests, batch=1),
        "in reverse": table_scores(dispatcher, pair, requests[::-1])[::-1],
    }
    for way, found in ways.items():
        for request, one, other in zip(requests, alone, found, strict=True):
            if abs(one - other.log_likelihood) > 1e-4:
                raise Failure(
                    f"{one:.6f}, as alone",
                    f"{other.log_likelihood:.6f} {way}",
                    f"{request}",
                )


@SCORE.check("short, single and overlong requests are scored like others", INDUCES)
def edges(subject: Subject) -> None:
    pair = TablePair.random(SIZE, seed=11)
    dispatcher = subject.dispatcher()
    long = tuple(i % SIZE for i in range(20))
    for request in (
        ScoreRequest((0,), (1,)),
        ScoreRequest(long, (1,)),
        ScoreRequest(long, (1, 2, 3)),
        ScoreRequest((0,), (1, 2, 3, 4, 0, 1)),
    ):
        found = table_scores(dispatcher, pair, [request], window=8)[0].log_likelihood
        if not (math.isfinite(found) and found <= 1e-5):
            raise Failure(
                "a finite log-probability", f"{found}", f"{request}, window 8"
            )


@SCORE.check("the score of a text is the sum of the scores of its tokens", SCORES)
def chain_rule(subject: Subject) -> None:
    pair = TablePair.random(SIZE, seed=12)
    dispatcher = subject.dispatcher()
    for request in mixed_requests(SIZE):
        text = request.continuation
        parts = [
            ScoreRequest((*request.context, *text[:i]), (token,))
            for i, token in enumerate(text)
        ]
        whole = table_scores(dispatcher, pair, [request])[0].log_likelihood
        found = table_scores(dispatcher, pair, parts)
        total = sum(score.log_likelihood for score in found)
        if abs(whole - total) > 1e-4:
            raise Failure(
                f"{total:.6f}, the sum over its tokens", f"{whole:.6f}", f"{request}"
            )


@SCORE.check("decoding follows the law that is scored", INDUCES)
def agrees_with_decoding(subject: Subject) -> None:
    pair = TablePair.random(SIZE, seed=13)
    texts, requests = every_text((1,), SIZE, 3)
    found = table_scores(subject.dispatcher(), pair, requests)
    law = {
        text: math.exp(score.log_likelihood)
        for text, score in zip(texts, found, strict=True)
    }
    # the last token of the budget is the LLM's where drafts are held
    budget = 4 if HOLDS.holds(subject) else 3
    answers = pair.run(
        subject.dispatcher(), [[1]] * SAMPLES, budget, law=WarpLaw(1.0), batch=64
    )
    seen = exact.counted([answer.tokens[:3] for answer in answers])
    if (p := exact.p_value(seen, law)) < ALPHA:
        raise Failure(
            f"texts decoded as they are scored (chi-square p above {ALPHA})",
            f"p = {p:.1g}; the text {exact.worst(seen, law)}",
            "three tokens behind the prompt [1], temperature 1",
        )


def _marks_the_best(
    texts: list[tuple[int, ...]], found: list[Score], context: tuple[int, ...]
) -> None:
    pairs = list(zip(texts, found, strict=True))
    chances = {text: math.exp(score.log_likelihood) for text, score in pairs}
    best: tuple[int, ...] = ()
    for _ in texts[0]:
        best = max(
            ((*best, token) for token in range(SIZE)),
            key=lambda start: sum(
                chance for text, chance in chances.items() if _begins(text, start)
            ),
        )
    marked = [list(text) for text, score in pairs if score.is_greedy]
    if marked != [list(best)]:
        raise Failure(
            f"is_greedy for {list(best)}", f"{marked}", f"behind {list(context)}"
        )


def _begins(text: tuple[int, ...], start: tuple[int, ...]) -> bool:
    return text[: len(start)] == start


def _does_not_peek(subject: Subject) -> None:
    logits = torch.randn(2, 4, SIZE, generator=torch.Generator().manual_seed(5)) * 1.5
    given = Positions(logits[0], logits[1], torch.arange(4), torch.zeros(4).long())
    others = {
        "gold": replace(given, gold=(given.gold + 1) % SIZE),
        "row": replace(given, row=torch.arange(4)),
    }
    dispatcher = subject.dispatcher()
    before = dispatcher.score(_copied(given))
    for name, changed in others.items():
        after = dispatcher.score(_copied(changed))
        if before is None or after is None:
            continue
        if not torch.allclose(before, after, atol=1e-4):
            raise Failure(
                f"a law that does not depend on positions.{name}",
                "another one",
                f"{name} {getattr(given, name).tolist()}, then "
                f"{getattr(changed, name).tolist()}",
            )


def _copied(positions: Positions) -> Positions:
    tensors = {f.name: getattr(positions, f.name).clone() for f in fields(positions)}
    return Positions(**tensors)
