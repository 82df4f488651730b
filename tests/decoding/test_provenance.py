"""Signals stay with their positions, and routes can be replayed from them."""

import pytest
import torch
from hybridlm_strategy_baselines import Random
from hybridlm_strategy_entropy import Entropy
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty

from hybridcore import Draft, Route, Strategy, Verdict, hookimpl, laws
from hybridcore.decoding.step_law import WarpLaw

PROMPTS = [[1], [2, 3], [0, 5, 1, 1], [7], [4, 4], [6, 2, 0]]
VISITED = {}


class Placed(Strategy):
    """Its signal is the position; it asks, checks, drafts nothing, or a run."""

    asks: bool = True

    @hookimpl
    def start(self, request):
        return VISITED.setdefault(request.prompt, [])

    @hookimpl
    def route_token(self, step):
        places = [len(step.tokens(i)) for i in range(len(step))]
        for i, visited in enumerate(step.states):
            visited.append(places[i])
        where = torch.tensor(places)
        verdict = (where % 7 == 1).long()
        if self.asks:
            verdict[where % 5 == 3] = Route.ASK
        return Route(verdict, where.float())

    @hookimpl
    def draft(self, step):
        last = torch.tensor([step.tokens(i)[-1] for i in range(len(step))])
        tokens = (last[:, None] + torch.arange(1, 4)) % 8
        return Draft(tokens, torch.minimum(last % 4, step.budget))


class PlacedHeld(Placed):
    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)


@pytest.mark.parametrize("asks", [True, False])
def test_every_signal_of_a_trusting_strategy_appears_once(pair, asks):
    VISITED.clear()
    answers = pair.run(Placed(asks=asks), PROMPTS, 20, batch=3)
    by_llm = 0
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        visited = set(VISITED[tuple(prompt)])
        for place, emitted in enumerate(answer.provenance, start=len(prompt)):
            expected = float(place) if place in visited else None
            assert emitted.signal == expected
            by_llm += emitted.from_llm and emitted.signal is not None
    assert by_llm > 3


def test_signals_of_a_holding_strategy_stay_at_their_positions(pair):
    VISITED.clear()
    answers = pair.run(PlacedHeld(), PROMPTS, 20, batch=3)
    kinds = set()
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        for place, emitted in enumerate(answer.provenance, start=len(prompt)):
            assert emitted.signal in (None, float(place))
            if emitted.signal is not None:
                kinds.add((emitted.from_llm, emitted.accepted))
    # drafts, tokens that replaced one, and those of asks and of empty drafts
    assert kinds == {(False, True), (True, False), (True, None)}


class Empty(Strategy):
    """Declines to draft at every other position, without an ASK."""

    held: bool = False

    @hookimpl
    def route_token(self, step):
        places = torch.tensor([len(step.tokens(i)) for i in range(len(step))])
        return Route(torch.zeros_like(places), places.float())

    @hookimpl
    def draft(self, step):
        places = torch.tensor([len(step.tokens(i)) for i in range(len(step))])
        return Draft(step.logits.argmax(-1)[:, None], places % 2)


class EmptyHeld(Empty):
    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)


@pytest.mark.parametrize("strategy", [Empty(), EmptyHeld()])
def test_the_signal_of_an_empty_draft_is_on_the_token_of_the_llm(pair, strategy):
    answers = pair.run(strategy, PROMPTS, 9, law=WarpLaw(0.0))
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        last = len(prompt) + 8
        for place, emitted in enumerate(answer.provenance, start=len(prompt)):
            held_last = isinstance(strategy, EmptyHeld) and place == last
            if place % 2 == 0 and not held_last:
                assert emitted.from_llm
                assert emitted.signal == place


class SometimesSignals(Strategy):
    """Asks at every third position and has a signal there alone."""

    @hookimpl
    def route_token(self, step):
        places = torch.tensor([len(step.tokens(i)) for i in range(len(step))])
        asks = places % 3 == 0
        signal = places.float() if asks.any() else None
        return Route(asks.long() * Route.ASK, signal)

    @hookimpl
    def verify(self, block):
        law = laws.at(block.p, torch.zeros_like(block.length))
        return Verdict(torch.zeros_like(block.length), law)


def test_a_signal_that_came_to_nothing_is_forgotten(pair):
    (answer,) = pair.run(SometimesSignals(), [[1]], 12, batch=1)
    found = {e.signal for e in answer.provenance}
    assert found == {None, *(float(place) for place in range(3, 12, 3))}
    for place, emitted in enumerate(answer.provenance, start=1):
        assert emitted.signal in (None, float(place))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    ("strategy", "asks"),
    [
        (Uncertainty(threshold=0.6), lambda signal: signal > 0.6),
        (Entropy(threshold=1.2), lambda signal: signal > 1.2),
        (Random(fraction=0.4), lambda signal: signal < 0.4),
    ],
    ids=["uncertainty", "entropy", "random"],
)
def test_routes_can_be_replayed_from_signals(pair, strategy, asks, temperature):
    answers = pair.run(strategy, PROMPTS, 20, law=WarpLaw(temperature))
    emitted = [e for answer in answers for e in answer.provenance]
    assert all(e.from_llm == asks(e.signal) for e in emitted)
    assert all(e.accepted is None and e.rejected is None for e in emitted)
    assert len({e.from_llm for e in emitted}) == 2


def test_signals_are_the_definition_on_the_models_logits(pair):
    for prompt, answer in zip(
        PROMPTS, pair.run(Uncertainty(threshold=0.6), PROMPTS, 9), strict=True
    ):
        before = [*prompt, *answer.tokens][len(prompt) - 1 : -1]
        expected = 1 - pair.q[before].softmax(-1).max(-1).values
        got = torch.tensor([e.signal for e in answer.provenance])
        torch.testing.assert_close(got, expected)


def test_replaced_drafts_are_named(pair):
    answers = pair.run(Speculative(num_drafts=3), PROMPTS, 20, law=WarpLaw(0.0))
    replaced = 0
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        before = [*prompt, *answer.tokens][len(prompt) - 1 : -1]
        for last, emitted in zip(before, answer.provenance, strict=True):
            if emitted.rejected is not None:
                replaced += 1
                assert emitted.rejected == int(pair.q[last].argmax())
                assert emitted.token == int(pair.p[last].argmax()) != emitted.rejected
    assert replaced > 5
