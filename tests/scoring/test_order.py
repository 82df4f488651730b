"""Neither the batch size nor the order of the requests changes an answer."""

import dataclasses

import pytest
import torch

from hybridcore import Positions, Route, Step, Strategy, hookimpl
from hybridcore.scoring import ScoreRequest
from hybridcore.signals import least_confidence
from hybridcore.tally import Tally

from .conftest import as_scoring, llama, mixed_requests, plain_logits, scores

HALF = 0.87


class Uncertainty(Strategy):
    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(least_confidence(step.logits), HALF)


class Product(Strategy):
    """Geometric mean of the two laws, renormalised."""

    @hookimpl
    def score(self, positions: Positions) -> torch.Tensor:
        return (positions.q_logits + positions.p_logits).mul(0.5).log_softmax(-1)


MODES = [None, Uncertainty(), Product()]
MODE_IDS = ["llm", "routed", "hooked"]


def assert_alike(found, expected):
    for answer, other in zip(found, expected, strict=True):
        assert answer.log_likelihood == pytest.approx(other.log_likelihood, abs=3e-5)
        assert answer.is_greedy == other.is_greedy
        assert answer.from_llm == other.from_llm


@pytest.mark.parametrize("strategy", MODES, ids=MODE_IDS)
def test_batch_size_and_order(small, large, strategy):
    requests = mixed_requests()
    models = as_scoring(small), as_scoring(large)
    one = scores(requests, strategy, *models, batch_size=1)
    eight = scores(requests, strategy, *models, batch_size=8)
    back = scores(requests[::-1], strategy, *models, batch_size=8)[::-1]
    assert_alike(eight, one)
    assert_alike(back, one)
    totals = [Tally.total(a.tally for a in found) for found in (one, eight, back)]
    assert totals[0] == totals[1]
    # who of two equal inputs comes first may change, how long its context is too
    back_total = dataclasses.replace(
        totals[2], llm_prefill_tokens=totals[0].llm_prefill_tokens
    )
    assert back_total == totals[0]


def test_uncertainty_routing_as_a_plain_loop(small, large):
    requests = mixed_requests(3)
    found = scores(requests, Uncertainty(), as_scoring(small), as_scoring(large))
    routes = set()
    for answer, request in zip(found, requests, strict=True):
        total, from_llm, greedy = 0.0, [], True
        q, p = plain_logits(small, request), plain_logits(large, request)
        for j, token in enumerate(request.continuation):
            from_llm.append(1 - float(q[j].softmax(-1).max()) > HALF)
            law = (p if from_llm[-1] else q)[j].log_softmax(-1)
            total += float(law[token])
            greedy = greedy and int(law.argmax()) == token
        assert answer.log_likelihood == pytest.approx(total, abs=3e-5)
        assert answer.from_llm == tuple(from_llm)
        assert answer.is_greedy == greedy
        assert answer.tally.scored_from_llm == sum(from_llm)
        assert answer.tally.llm_requests_skipped == (not any(from_llm))
        routes.update(from_llm)
    assert routes == {True, False}
    total = Tally.total(a.tally for a in found)
    assert 0 < total.llm_requests_skipped < len(requests)
    assert total.scored_tokens == sum(len(r.continuation) for r in requests)
    assert total.llm_tokens_processed < total.slm_tokens_processed


def test_always_asking_is_the_llm_in_its_own_type(small):
    class Asks(Strategy):
        @hookimpl
        def route_token(self, step: Step) -> Route:
            return Route(torch.full_like(step.pending, Route.ASK))

    class AsksAlone(Asks):
        requires = frozenset()

    large = llama(5).to(torch.bfloat16)
    requests = [ScoreRequest((3,), tuple(range(5, 25))), *mixed_requests()]
    alone = scores(requests, llm=as_scoring(large))
    for strategy, slm in [(Asks(), as_scoring(small)), (AsksAlone(), None)]:
        found = scores(requests, strategy, slm, as_scoring(large))
        # sums of bfloat16 are rounded to bfloat16, as HFLM has them
        assert [a.log_likelihood for a in found] == [a.log_likelihood for a in alone]
