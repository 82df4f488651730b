"""The induced law of routing strategies, against a plain loop over requests."""

import math

import pytest
import torch

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.scoring import ScoreRequest, gold
from hybridcore.signals import entropy

from .conftest import (
    VOCAB,
    as_scoring,
    as_table,
    llama,
    mixed_requests,
    plain_logits,
    scores,
)


class Entropy(Strategy):
    threshold: float = option(1.0)

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(entropy(step.logits), self.threshold)


class Silent(Strategy):
    """Has no hook at all."""


class Shy(Strategy):
    """Declines to answer."""

    @hookimpl
    def route_token(self, step: Step) -> None:
        return None


def plain_score(small, large, request, threshold):
    """What the entropy strategy induces, one request and one position at a time."""
    total, greedy, from_llm = 0.0, True, []
    q, p = plain_logits(small, request), plain_logits(large, request)
    for j, token in enumerate(request.continuation):
        law = q[j].softmax(-1)
        uncertain = float(-(law * law.log()).sum())
        from_llm.append(uncertain > threshold)
        logits = p[j] if uncertain > threshold else q[j]
        total += float(logits.log_softmax(-1)[token])
        greedy = greedy and int(logits.argmax()) == token
    return total, greedy, tuple(from_llm)


def hybrid_greedy(small, large, request, threshold):
    """The same context, followed by what the hybrid says at temperature 0."""
    said = list(request.continuation)
    for j in range(len(said)):
        part = ScoreRequest(request.context, said[: j + 1])
        q, p = plain_logits(small, part)[-1], plain_logits(large, part)[-1]
        law = q.softmax(-1)
        asks = float(-(law * law.log()).sum()) > threshold
        said[j] = int((p if asks else q).argmax())
    return ScoreRequest(request.context, tuple(said))


@pytest.mark.parametrize("piece", [None, 5 * VOCAB])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_entropy_routing_as_a_plain_loop(small, large, batch_size, piece, monkeypatch):
    if piece:
        monkeypatch.setattr(gold, "PIECE", piece)
    requests = mixed_requests()
    requests += [
        hybrid_greedy(small, large, r, 2.0)
        for r in requests
        if len(r.context) + len(r.continuation) < 30 and len(r.continuation) > 1
    ]
    models = as_scoring(small), as_scoring(large)
    found = scores(requests, Entropy(threshold=2.0), *models, batch_size=batch_size)
    mixed = 0
    for answer, request in zip(found, requests, strict=True):
        total, greedy, from_llm = plain_score(small, large, request, 2.0)
        assert answer.log_likelihood == pytest.approx(total, abs=3e-5)
        assert answer.is_greedy == greedy
        assert answer.from_llm == from_llm
        mixed += 0 < sum(from_llm) < len(from_llm)
    # else the test shows nothing
    assert mixed > 5
    assert sum(answer.is_greedy for answer in found) > 5


def test_signals_are_those_of_the_positions(small, large):
    requests = mixed_requests()
    found = scores(requests, Entropy(), as_scoring(small), as_scoring(large))
    for answer, request in zip(found, requests, strict=True):
        expected = entropy(plain_logits(small, request)).tolist()
        assert answer.signals == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("strategy", [Entropy(threshold=1e9), Silent(), Shy()])
def test_never_asking_is_the_slm_alone(small, large, strategy):
    requests = mixed_requests()
    llm = as_scoring(large)
    found = scores(requests, strategy, as_scoring(small), llm)
    alone = scores(requests, llm=as_scoring(small))
    for answer, expected in zip(found, alone, strict=True):
        assert answer.log_likelihood == expected.log_likelihood
        assert answer.is_greedy == expected.is_greedy
        assert not any(answer.from_llm)
    assert llm.forward.read == []


def test_always_asking_is_the_llm_alone(small, large):
    requests = mixed_requests()
    found = scores(
        requests, Entropy(threshold=-1.0), as_scoring(small), as_scoring(large)
    )
    alone = scores(requests, llm=as_scoring(large))
    for answer, expected in zip(found, alone, strict=True):
        assert answer.log_likelihood == expected.log_likelihood
        assert answer.is_greedy == expected.is_greedy
        assert all(answer.from_llm)


@pytest.mark.parametrize("threshold", [-1.0, 1e9])
def test_laws_run_over_the_shared_vocabulary(small, threshold):
    wide = as_scoring(llama(2, vocab=VOCAB + 8), vocab_size=VOCAB + 8)
    request = ScoreRequest((3, 4), (5, 6))
    (found,) = scores([request], Entropy(threshold=threshold), as_scoring(small), wide)
    model = small if threshold > 0 else llama(2, vocab=VOCAB + 8)
    law = plain_logits(model, request)[:, :VOCAB].log_softmax(-1)
    assert found.log_likelihood == pytest.approx(float(law[0, 5] + law[1, 6]), abs=1e-5)


class ReadsHidden(Strategy):
    requires = frozenset({"slm", "slm_hidden"})

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(step.hidden[:, 0], 0.0)


def test_hidden_states_belong_to_their_positions():
    table = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    slm = as_table(table)
    hidden = type(slm)(
        slm.forward,
        slm.vocab_size,
        slm.max_length,
        slm.device,
        forward_hidden=lambda ids: (table[ids], ids[..., None].float()),
    )
    requests = [ScoreRequest((1, 2), (3, 4, 5)), ScoreRequest((6,), (7,))]
    found = scores(requests, ReadsHidden(), hidden, as_table(table.flip(0)))
    assert [answer.signals for answer in found] == [(2.0, 3.0, 4.0), (6.0,)]


class NoModel(Strategy):
    """Routes by position, without a small model."""

    requires = frozenset()

    @hookimpl
    def route_token(self, step: Step) -> Route:
        assert step.logits is None
        assert step.law is None
        return Route(torch.zeros_like(step.pending), step.budget.float())


def test_without_an_slm_every_token_is_the_llms(large):
    requests = mixed_requests()
    found = scores(requests, NoModel(), None, as_scoring(large))
    alone = scores(requests, llm=as_scoring(large))
    for answer, expected in zip(found, alone, strict=True):
        assert answer.log_likelihood == expected.log_likelihood
        size = len(answer.from_llm)
        assert answer.from_llm == (True,) * size
        assert answer.signals == tuple(float(size - j) for j in range(size))
        assert math.isfinite(answer.log_likelihood)
