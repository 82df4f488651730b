"""The induced law is that of decoding: the same routes, and it sums to one."""

import itertools
import math

import pytest
import torch

from hybridcore import Route, Step, Strategy, hookimpl
from hybridcore.conformance.table import TableRunner
from hybridcore.decoding.engine import Engine
from hybridcore.decoding.reading import SharedVocabulary
from hybridcore.decoding.request import GenerationRequest
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.dispatch import Dispatcher
from hybridcore.scoring import ScoreRequest
from hybridcore.signals import entropy

from .conftest import as_table, scores

SIZE = 6


class Asks(Strategy):
    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(entropy(step.logits), 1.2)


class Checks(Strategy):
    """The LLM makes every third token; CHECK hands it the position behind."""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, 2)


class Tires(Strategy):
    """Reads everything a step has: pending, budget, ids and the law."""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        last = torch.tensor([step.tokens(i)[-1] for i in range(len(step))])
        signal = step.pending + step.law[:, 0] + 0.5 * last + 0.25 * step.budget
        verdict = torch.full_like(step.pending, Route.KEEP)
        verdict[signal > 3.2] = Route.CHECK
        verdict[signal > 3.9] = Route.ASK
        return Route(verdict, signal)


STRATEGIES = [Asks(), Checks(), Tires()]


def tables(seed=3):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(SIZE, SIZE, generator=generator) * 1.5,
        torch.randn(SIZE, SIZE, generator=generator) * 1.5,
    )


def decoded(strategy, tokens, count):
    """Decode ``count`` rows at temperature 1 with the engine."""
    q, p = tables()
    engine = Engine(
        TableRunner(q, 8),
        TableRunner(p, 8, parameters=3),
        Dispatcher(strategy),
        SharedVocabulary(SIZE, SIZE),
        8,
    )
    law = WarpLaw(1.0)
    asked = [
        GenerationRequest((i % SIZE,), tokens, law, law, seed=i) for i in range(count)
    ]
    return list(engine.run(asked))


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
def test_routes_are_those_of_decoding(strategy):
    answers = decoded(strategy, tokens=17, count=40)
    requests = [ScoreRequest(a.request.prompt, a.tokens) for a in answers]
    q, p = tables()
    found = scores(requests, strategy, as_table(q), as_table(p))
    origins = set()
    for score, answer in zip(found, answers, strict=True):
        chosen = tuple(token.from_llm for token in answer.provenance)
        assert score.from_llm == chosen
        if not isinstance(strategy, Checks):
            signals = [token.signal for token in answer.provenance]
            assert score.signals == pytest.approx(tuple(signals), abs=1e-6)
        origins.update(chosen)
    assert origins == {True, False}


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
def test_the_law_sums_to_one(strategy):
    texts = list(itertools.product(range(SIZE), repeat=4))
    q, p = tables()
    requests = [ScoreRequest((2,), text) for text in texts]
    found = scores(requests, strategy, as_table(q), as_table(p), batch_size=64)
    mass = math.fsum(math.exp(score.log_likelihood) for score in found)
    assert mass == pytest.approx(1.0, abs=1e-5)
    patterns = {score.from_llm for score in found}
    assert len(patterns) > (0 if isinstance(strategy, Checks) else 3)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)
def test_the_law_is_how_often_decoding_says_it(strategy):
    answers = decoded(strategy, tokens=2, count=6 * 1000)
    texts = list(itertools.product(range(SIZE), repeat=2))
    requests = [ScoreRequest((c,), text) for c in range(SIZE) for text in texts]
    q, p = tables()
    found = scores(requests, strategy, as_table(q), as_table(p), batch_size=64)
    counts = dict.fromkeys([(r.context, r.continuation) for r in requests], 0)
    for answer in answers:
        counts[tuple(answer.request.prompt), answer.tokens] += 1
    apart = sum(
        abs(math.exp(score.log_likelihood) - counts[r.context, r.continuation] / 1000)
        for score, r in zip(found, requests, strict=True)
    )
    # mean total variation; 36 outcomes and 1,000 draws make about 0.06 of noise
    assert apart / 2 / SIZE < 0.1


def test_a_verdict_is_made_few_times():
    made = []

    class Counted(Asks):
        @hookimpl
        def route_token(self, step: Step) -> Route:
            made.append(len(step))
            return Asks.route_token(self, step)

    class Counted3(Checks):
        @hookimpl
        def route_token(self, step: Step) -> Route:
            made.append(len(step))
            return Checks.route_token(self, step)

    draw = torch.Generator().manual_seed(0)
    text = torch.randint(SIZE, (300,), generator=draw).tolist()
    q, p = tables()
    models = [as_table(table, max_length=300) for table in (q, p)]
    scores([ScoreRequest((1,), text)], Counted(), *models)
    assert sum(made) <= 2 * 300
    assert len(made) == 2
    made.clear()
    scores([ScoreRequest((1,), text)], Counted3(), *models)
    assert sum(made) <= 5 * 300
