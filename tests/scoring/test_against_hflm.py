"""``scoring=llm`` and lossless strategies give the numbers of lm_eval's HFLM."""

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from hybridcore import Strategy
from hybridcore.scoring import ScoreRequest

from .conftest import WINDOW, as_scoring, hflm, llama, mixed_requests, scores


def reference(lm, requests):
    asked = [(("", ""), list(r.context), list(r.continuation)) for r in requests]
    return lm._loglikelihood_tokens(asked, disable_tqdm=True)


def assert_same(found, expected, tolerance=3e-5):
    got = [answer.log_likelihood for answer in found]
    want = [log_likelihood for log_likelihood, _ in expected]
    assert got == pytest.approx(want, abs=tolerance)
    assert [answer.is_greedy for answer in found] == [greedy for _, greedy in expected]


def greedy_requests(model, requests):
    """The same contexts, each followed by what the model itself would say."""
    result = []
    for request in requests:
        ids = list(request.context)
        for _ in request.continuation:
            with torch.no_grad():
                logits = model(torch.tensor([ids[-WINDOW:]])).logits
            ids.append(int(logits[0, -1].argmax()))
        context = request.context
        result.append(ScoreRequest(context, tuple(ids[len(context) :])))
    return result


@pytest.mark.parametrize("batch_size", [1, 8])
def test_every_request_scores_as_in_hflm(large, batch_size):
    requests = mixed_requests()
    lm = hflm(large, batch_size=batch_size, logits_cache=False)
    found = scores(requests, llm=as_scoring(large), batch_size=batch_size)
    assert_same(found, reference(lm, requests))


@pytest.mark.parametrize("batch_size", [1, 8])
def test_grouped_one_token_continuations_score_as_in_hflm(large, batch_size):
    context = tuple(range(3, 20))
    requests = [ScoreRequest(context, (t,)) for t in range(40)]
    requests += [ScoreRequest(context[:-2], (t, 5)) for t in range(9)]
    lm = hflm(large, batch_size=batch_size, logits_cache=True)
    found = scores(requests, llm=as_scoring(large), batch_size=batch_size)
    assert_same(found, reference(lm, requests))


def test_greedy_continuations_are_greedy(large):
    short = [r for r in mixed_requests() if len(r.continuation) < 7]
    requests = greedy_requests(large, [r for r in short if len(r.context) < 24])
    found = scores(requests, llm=as_scoring(large))
    lm = hflm(large, batch_size=4, logits_cache=False)
    assert_same(found, reference(lm, requests))
    assert len(requests) > 10
    assert all(answer.is_greedy for answer in found)


def test_a_continuation_cut_at_two_points_is_read_once_and_scored_twice(large):
    ids = tuple(range(10, 22))
    requests = [
        ScoreRequest(ids[:8], ids[8:]),
        ScoreRequest(ids[:5], ids[5:]),
        ScoreRequest(ids[:11], (40,)),
    ]
    model = as_scoring(large)
    found = scores(requests, llm=model)
    # with its logits_cache HFLM reads the shorter continuation off the wrong
    # positions: -21.63 in place of -17.44 for the first of these
    lm = hflm(large, batch_size=4, logits_cache=False)
    assert_same(found, reference(lm, requests))
    assert [tuple(ids.shape) for ids in model.forward.read] == [(1, 11)]


def test_batches_are_those_of_hflm(large, monkeypatch):
    requests = [r for r in mixed_requests() if len(r.continuation) > 1]
    # of equal lengths, in an order that sorting must change
    requests += [ScoreRequest((9 - i, 3), (2, 50 - i)) for i in range(9)]
    model = as_scoring(large)
    scores(requests, llm=model, batch_size=4)
    lm = hflm(large, batch_size=4, logits_cache=True)
    seen = []
    call = lm._model_call
    monkeypatch.setattr(lm, "_model_call", lambda ids: (seen.append(ids), call(ids))[1])
    reference(lm, requests)
    assert len(seen) == len(model.forward.read)
    for ours, theirs in zip(model.forward.read, seen, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_rolling_windows_score_as_in_hflm(large, batch_size):
    text = " ".join(f"w{(7 * i + i * i) % 60}" for i in range(107))
    lm = hflm(large, batch_size=batch_size)
    instance = Instance("loglikelihood_rolling", {}, (text,), 0)
    (expected,) = lm.loglikelihood_rolling([instance], disable_tqdm=True)
    windows = get_rolling_token_windows(
        lm.tok_encode(text), lm.prefix_token_id, lm.max_length, context_len=1
    )
    requests = [ScoreRequest(*make_disjoint_window(window)) for window in windows]
    assert max(len(r.continuation) for r in requests) == WINDOW
    found = scores(requests, llm=as_scoring(large), batch_size=batch_size)
    total = sum(answer.log_likelihood for answer in found)
    assert total == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("softmax_dtype", [None, torch.float32])
def test_types_are_those_of_hflm_in_bfloat16(softmax_dtype):
    model = llama(5).to(torch.bfloat16)
    requests = mixed_requests(1)
    lm = hflm(model, batch_size=1, logits_cache=False, softmax_dtype=softmax_dtype)
    llm = as_scoring(model, softmax_dtype=softmax_dtype)
    found = scores(requests, llm=llm, batch_size=1)
    # one request at a time rounds alike: the same bits
    assert_same(found, reference(lm, requests), tolerance=0.0)


class Lossless(Strategy):
    lossless = True


def test_a_lossless_strategy_scores_exactly_as_the_llm(small, large):
    requests = mixed_requests()
    slm = as_scoring(small)
    found = scores(requests, Lossless(), slm, as_scoring(large))
    assert found == scores(requests, llm=as_scoring(large))
    assert slm.forward.read == []
