"""What the two models may differ in, and what a strategy may do without."""

import math

import pytest
import torch

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.errors import ModelError
from hybridcore.scoring import ScoreRequest
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


@pytest.mark.parametrize("threshold", [-1.0, 1e9])
def test_laws_run_over_the_shared_vocabulary(small, threshold):
    wide = as_scoring(llama(2, vocab=VOCAB + 8), vocab_size=VOCAB + 8)
    request = ScoreRequest((3, 4), (5, 6))
    (found,) = scores([request], Entropy(threshold=threshold), as_scoring(small), wide)
    model = small if threshold > 0 else llama(2, vocab=VOCAB + 8)
    law = plain_logits(model, request)[:, :VOCAB].log_softmax(-1)
    assert found.log_likelihood == pytest.approx(float(law[0, 5] + law[1, 6]), abs=1e-5)


def test_strategies_see_the_shared_vocabulary(large):
    wide = as_scoring(llama(1, vocab=VOCAB + 8), vocab_size=VOCAB + 8)
    request = ScoreRequest((3, 4), (5, 6))
    (found,) = scores([request], Entropy(), wide, as_scoring(large))
    logits = plain_logits(llama(1, vocab=VOCAB + 8), request)[:, :VOCAB]
    assert found.signals == pytest.approx(entropy(logits).tolist(), abs=1e-5)


class Even(Strategy):
    """The score hook of a plain mean."""

    @hookimpl
    def score(self, positions) -> torch.Tensor:
        laws = (positions.q_logits.softmax(-1), positions.p_logits.softmax(-1))
        return (sum(laws) / 2).log()


class Keep(Strategy):
    """Leaves all to the SLM, without a hook."""


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("strategy", "role"),
    [
        (Entropy(), "SLM"),
        (Entropy(threshold=-1.0), "LLM"),
        (Keep(), "SLM"),
        (Even(), "SLM"),
        (Even(), "LLM"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_logits_that_are_not_finite_blame_the_model(strategy, role, bad):
    well, broken = torch.randn(8, 8), torch.zeros(8, 8)
    broken[:, 3] = bad
    pair = (broken, well) if role == "SLM" else (well, broken)
    with pytest.raises(ModelError, match=f"the {role}'s logits are {bad!r}: expected"):
        scores([ScoreRequest((1,), (2,))], strategy, *map(as_table, pair))


@pytest.mark.parametrize("windows", [(8, 32), (32, 8)])
def test_both_models_read_the_smaller_window(small, large, windows):
    requests = [r for r in mixed_requests() if len(r.continuation) <= 8]
    small_window, large_window = windows
    found = scores(
        requests,
        Entropy(threshold=3.45),
        as_scoring(small, max_length=small_window),
        as_scoring(large, max_length=large_window),
    )
    expected = scores(
        requests,
        Entropy(threshold=3.45),
        as_scoring(small, max_length=8),
        as_scoring(large, max_length=8),
    )
    assert found == expected
    assert any(answer.tally.truncated_prompts for answer in found)
    assert any(any(answer.from_llm) for answer in found)


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


class NoHook(Strategy):
    """Neither routes nor reads the small model."""

    requires = frozenset()


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


def test_without_an_slm_or_a_hook_every_token_is_the_llms(large):
    requests = mixed_requests()
    found = scores(requests, NoHook(), None, as_scoring(large))
    assert found == scores(requests, llm=as_scoring(large))
