"""SCORE: the induced law is one, is fair, and is the law that decoding follows.

For strategies whose score is simply the LLM's there is nothing to check here.
"""

from __future__ import annotations

import math
import random
from dataclasses import fields, replace

import torch
from torch import Tensor

from ...decoding.step_law import WarpLaw
from ...exchange import Positions
from ...scoring import ScoreRequest
from .. import exact
from ..capabilities import DIALLED, INDUCES, SCORES
from ..check import Failure, Family
from ..dial import dial, ends
from ..lossless import ALPHA, SAMPLES
from ..pair import TablePair
from ..subject import Subject
from ..table_scores import by_hand, every_text, table_scores

SCORE = Family("SCORE")
SIZE = 5


@SCORE.check("scores are log-probabilities that sum to one", INDUCES, contract=True)
def normalised(subject: Subject) -> None:
    pair = TablePair.random(SIZE, seed=8)
    for length in (1, 2):
        for context in ((0,), (3, 1)):
            texts, requests = every_text(context, SIZE, length)
            found = table_scores(subject.dispatcher(), pair, requests)
            values = [score.log_likelihood for score in found]
            example = (
                f"all {len(texts)} texts of {length} tokens behind {list(context)}"
            )
            for text, value in zip(texts, values, strict=True):
                if not value <= 1e-5:  # False for NaN, too
                    raise Failure(
                        "a log-probability",
                        f"{value}",
                        f"{list(text)} behind {context}",
                    )
            total = sum(math.exp(value) for value in values)
            if abs(total - 1) > 1e-3:
                raise Failure("probabilities that sum to 1", f"{total:.6f}", example)


@SCORE.check("is_greedy marks the likeliest token; no law looks at the answer", INDUCES)
def blind(subject: Subject) -> None:
    pair = TablePair.random(SIZE, seed=9)
    for first in range(SIZE):
        texts, requests = every_text((first,), SIZE, 1)
        found = table_scores(subject.dispatcher(), pair, requests)
        best = max(range(SIZE), key=lambda i: found[i].log_likelihood)
        marked = [texts[i][0] for i, score in enumerate(found) if score.is_greedy]
        if marked != [best]:
            raise Failure(f"is_greedy for {[best]}", f"{marked}", f"behind {[first]}")
    if "score" in subject.hooks:
        _does_not_peek(subject)


@SCORE.check("a score does not depend on the batch, or on the order", INDUCES)
def batches(subject: Subject) -> None:
    pair = TablePair.random(SIZE, seed=10)
    requests = _mixed_requests()
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
    for request in _mixed_requests():
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
    answers = pair.run(
        subject.dispatcher(), [[1]] * SAMPLES, 3, law=WarpLaw(1.0), batch=64
    )
    seen = exact.counted([answer.tokens for answer in answers])
    if (p := exact.p_value(seen, law)) < ALPHA:
        raise Failure(
            f"texts decoded as they are scored (chi-square p above {ALPHA})",
            f"p = {p:.1g}; the text {exact.worst(seen, law)}",
            "three tokens behind the prompt [1], temperature 1",
        )
    if DIALLED.holds(subject) and "score" not in subject.hooks:
        _ends_of_the_dial(subject, pair)


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


def _ends_of_the_dial(subject: Subject, pair: TablePair) -> None:
    name = dial(subject)
    assert name is not None
    requests = _mixed_requests()
    alone = {
        model: [by_hand(table, request) for request in requests]
        for model, table in (("SLM", pair.q), ("LLM", pair.p))
    }
    for value in ends(subject, name):
        found = table_scores(subject.dispatcher(**{name: value}), pair, requests)
        values = [score.log_likelihood for score in found]
        if not any(_close(values, expected) for expected in alone.values()):
            raise Failure(
                f"the scores of one model alone at {name}={value}",
                f"{values[0]:.6f}, where the SLM has {alone['SLM'][0]:.6f} and the LLM "
                f"{alone['LLM'][0]:.6f}",
                f"{requests[0]}",
            )


def _close(found: list[float], expected: list[float]) -> bool:
    return bool(torch.allclose(Tensor(found), Tensor(expected), atol=1e-4))


def _mixed_requests() -> list[ScoreRequest]:
    draw = random.Random(6)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(draw.randrange(SIZE) for _ in range(count))

    lengths = ((1, 1), (2, 3), (1, 4), (5, 1), (3, 2), (4, 4), (2, 1), (6, 3), (1, 2))
    return [ScoreRequest(ids(before), ids(after)) for before, after in lengths]
