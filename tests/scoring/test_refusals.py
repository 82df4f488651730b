"""What is refused is refused before a model runs, and the message says why."""

import pytest
import torch

from hybridcore import Draft, Route, Step, Strategy, Verdict, hookimpl
from hybridcore.dispatch import Dispatcher
from hybridcore.errors import ArgumentError, HookError, RequestError, StrategyError
from hybridcore.scoring import ScoreRequest, score

from .conftest import VOCAB, WINDOW, as_scoring


class Keeps(Strategy):
    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route(torch.zeros_like(step.pending))


class Lossy(Keeps):
    @hookimpl
    def verify(self, block) -> Verdict:
        return Verdict(block.length)


class Stateful(Keeps):
    @hookimpl
    def start(self, request) -> list[int]:
        return []


class Drafts(Keeps):
    @hookimpl
    def draft(self, step: Step) -> Draft:
        return Draft(step.pending[:, None], torch.ones_like(step.pending))


class Hidden(Keeps):
    requires = frozenset({"slm", "slm_hidden"})


ONE = [ScoreRequest((3,), (4,))]


@pytest.fixture
def pair(small, large):
    return as_scoring(small), as_scoring(large)


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        (Lossy(), "its verify hook judges sampled drafts, and it is not lossless"),
        (Stateful(), "it keeps state"),
        (Drafts(), "its draft hook chooses tokens by a law of its own"),
        (Hidden(), "reads the SLM's hidden states"),
    ],
)
def test_strategies_without_a_known_law(pair, strategy, reason):
    slm, llm = pair
    with pytest.raises(StrategyError) as refusal:
        score(ONE, slm=slm, llm=llm, dispatcher=Dispatcher(strategy), mode="strategy")
    assert type(strategy).__name__ in str(refusal.value)
    assert reason in str(refusal.value)
    assert "use scoring=llm" in str(refusal.value)
    assert slm.forward.read == llm.forward.read == []


def test_an_slm_that_is_missing(pair):
    with pytest.raises(StrategyError) as refusal:
        score(
            ONE, slm=None, llm=pair[1], dispatcher=Dispatcher(Keeps()), mode="strategy"
        )
    assert "expected an SLM, got None" in str(refusal.value)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ScoreRequest((), (1,)), "request 1 has an empty context"),
        (ScoreRequest((1,), ()), "request 1 has an empty continuation"),
        (
            ScoreRequest((1,), (2,) * (WINDOW + 1)),
            f"request 1 has a continuation of {WINDOW + 1} tokens: expected at most 32",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["llm", "strategy"])
def test_requests_no_model_could_answer(pair, request_, message, mode):
    slm, llm = pair
    with pytest.raises(RequestError) as refusal:
        score(
            [*ONE, request_],
            slm=slm,
            llm=llm,
            dispatcher=Dispatcher(Keeps()),
            mode=mode,
        )
    assert message in str(refusal.value)
    assert slm.forward.read == llm.forward.read == []


@pytest.mark.parametrize("request_", [((VOCAB,), (1,)), ((1,), (VOCAB,))])
def test_ids_one_model_does_not_know(small, large, request_):
    models = {
        "slm": as_scoring(small),
        "llm": as_scoring(large, vocab_size=VOCAB + 8),
    }
    with pytest.raises(RequestError) as refusal:
        score(
            [ScoreRequest(*request_)],
            dispatcher=Dispatcher(Keeps()),
            mode="strategy",
            **models,
        )
    assert "has token 64: expected ids below 64" in str(refusal.value)


def test_the_smaller_window_counts(small, large):
    slm = as_scoring(small, max_length=8)
    with pytest.raises(RequestError) as refusal:
        score(
            [ScoreRequest((1,), (2,) * 9)],
            slm=slm,
            llm=as_scoring(large),
            dispatcher=Dispatcher(Keeps()),
            mode="strategy",
        )
    assert "expected at most 8" in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "hybrid"}, "scoring is 'hybrid': expected 'llm' or 'strategy'"),
        ({"mode": "strategy"}, "expected a strategy, got None"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_arguments(pair, arguments, message):
    with pytest.raises(ArgumentError) as refusal:
        score(ONE, slm=pair[0], llm=pair[1], **arguments)
    assert message in str(refusal.value)


def test_a_broken_route_is_named(pair):
    class Broken(Strategy):
        @hookimpl
        def route_token(self, step: Step) -> Route:
            return Route(torch.zeros(len(step) + 1, dtype=torch.int8))

    slm, llm = pair
    scores = score(
        ONE, slm=slm, llm=llm, dispatcher=Dispatcher(Broken()), mode="strategy"
    )
    with pytest.raises(HookError, match="Broken, route_token: verdict"):
        list(scores)
