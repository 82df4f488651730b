"""The induced law of routing strategies, against a plain loop over requests."""

import pytest
import torch

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.scoring import ScoreRequest, gold
from hybridcore.signals import entropy

from .conftest import (
    VOCAB,
    as_scoring,
    as_table,
    mixed_requests,
    plain_logits,
    scores,
)

# nats; half of the positions of the tests lie above
HALF = 3.45


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
        monkeypatch.setattr(gold, "LEAST", 1)
    requests = mixed_requests()
    requests += [
        hybrid_greedy(small, large, r, HALF)
        for r in requests
        if len(r.context) + len(r.continuation) < 30 and len(r.continuation) > 1
    ]
    models = as_scoring(small), as_scoring(large)
    found = scores(requests, Entropy(threshold=HALF), *models, batch_size=batch_size)
    mixed = 0
    for answer, request in zip(found, requests, strict=True):
        total, greedy, from_llm = plain_score(small, large, request, HALF)
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


@pytest.mark.parametrize(
    ("said", "greedy"), [((3, 5), True), ((2, 5), False), ((3, 4), False)]
)
def test_greedy_needs_both_models_to_agree(said, greedy):
    certain, unsure = torch.eye(6) * 9, torch.eye(6) * 0.01
    q = torch.stack([certain[3], certain[3], unsure[1], unsure[1]])
    p = torch.stack([unsure[0], unsure[0], certain[5], certain[5]])
    request = ScoreRequest((1,), said)
    (found,) = scores([request], Entropy(), as_table(q), as_table(p))
    assert found.from_llm == (False, True)
    assert found.is_greedy == greedy
