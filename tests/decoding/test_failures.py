"""What cannot go on says why, and leaves the runners ready for the next run."""

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly, SlmOnly
from hybridlm_strategy_entropy import Entropy
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty

from hybridcore import Route, Strategy, hookimpl
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.errors import HookError, ModelError, RequestError

PROMPTS = [[i] for i in range(8)]
ALL = [Speculative(num_drafts=3), Uncertainty(threshold=0.6), LlmOnly(), SlmOnly()]
named = pytest.mark.parametrize("strategy", ALL, ids=lambda s: type(s).__name__)


def all_free(runner, batch):
    slots = [runner.acquire([1])[0] for _ in range(batch)]
    for slot in slots:
        runner.release(slot)
    return sorted(slots) == list(range(batch))


def test_an_empty_prompt_is_refused(pair):
    with pytest.raises(RequestError) as error:
        pair.run(Speculative(), [[1], []])
    assert str(error.value) == (
        "prompt [] of request 1: expected at least one token id; begin with the BOS "
        "or EOS token"
    )
    assert all_free(pair.llm, 4)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("role", ["SLM", "LLM"])
@pytest.mark.parametrize(
    "strategy",
    [Speculative(num_drafts=3), Uncertainty(threshold=0.6), Entropy(threshold=1.2)],
    ids=lambda s: type(s).__name__,
)
def test_logits_that_are_not_finite_blame_the_model(
    pair, strategy, role, bad, temperature
):
    (pair.q if role == "SLM" else pair.p)[:, 3] = bad
    with pytest.raises(ModelError) as error:
        pair.run(strategy, PROMPTS, law=WarpLaw(temperature))
    assert f"the {role}'s logits are {bad!r}: expected finite numbers" in str(
        error.value
    )
    assert all_free(pair.slm, 4)
    assert all_free(pair.llm, 4)


class Picky(Strategy):
    """Raises on logits that it cannot use."""

    @hookimpl
    def route_token(self, step):
        if step.logits.isnan().any():
            raise ValueError("these are no logits")
        return Route.check_at(step, 1)


def test_the_model_is_blamed_where_a_hook_trips_over_its_logits(pair):
    pair.q[:, 3] = float("nan")
    with pytest.raises(ModelError, match="the SLM's logits are nan"):
        pair.run(Picky(), PROMPTS)


@named
def test_tokens_that_cannot_occur_are_no_error(pair, strategy):
    pair.q[:, 3] = pair.p[:, 3] = -torch.inf
    for answer in pair.run(strategy, [[1], [2]]):
        assert 3 not in answer.tokens


@named
def test_padding_columns_are_never_read(pair, strategy):
    pair.q[:, 6:] = pair.p[:, 6:] = float("nan")
    engine = pair.engine(strategy, real=6)
    answers = list(engine.run(pair.requests([[1], [2], [3]], 30)))
    assert len(answers) == 3
    assert max(token for a in answers for token in a.tokens) < 6


@named
@pytest.mark.parametrize("taken", [0, 1, 2, 5])
def test_a_run_that_is_given_up_frees_its_slots(pair, strategy, taken):
    """Equal budgets end together: what is not fetched yet must be freed as well."""
    engine = pair.engine(strategy)
    run = engine.run(pair.requests(PROMPTS, 6))
    for _ in range(taken):
        next(run)
    run.close()
    assert all_free(pair.slm, 4)
    assert all_free(pair.llm, 4)
    again = sorted(engine.run(pair.requests(PROMPTS, 6)), key=lambda a: a.request.key)
    fresh = pair.run(strategy, PROMPTS, 6)
    assert [a.provenance for a in again] == [a.provenance for a in fresh]


class Tripping(Speculative):
    """Fails at the third verdict."""

    @hookimpl
    def start(self, request):
        return []

    @hookimpl
    def verify(self, block):
        for calls in block.states:
            calls.append(1)
        return 1 / (3 - max(map(len, block.states)))


def test_a_failing_hook_frees_the_slots(pair):
    engine = pair.engine(Tripping(num_drafts=2))
    with pytest.raises(HookError, match="strategy Tripping, verify"):
        list(engine.run(pair.requests(PROMPTS)))
    assert all_free(pair.slm, 4)
    assert all_free(pair.llm, 4)


@pytest.mark.parametrize("role", ["slm", "llm"])
@pytest.mark.parametrize("call", [1, 2, 4])
def test_a_failing_model_frees_the_slots(pair, monkeypatch, role, call):
    engine = pair.engine(Uncertainty(threshold=0.3))
    runner = getattr(pair, role)
    forward = runner.forward

    def failing(feeds):
        if runner.forwards + 1 >= call:
            raise torch.OutOfMemoryError("no memory left")
        return forward(feeds)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "forward", failing)
        with pytest.raises(torch.OutOfMemoryError):
            list(engine.run(pair.requests(PROMPTS)))
    assert all_free(pair.slm, 4)
    assert all_free(pair.llm, 4)
    expected = pair.run(Uncertainty(threshold=0.3), PROMPTS)
    again = sorted(engine.run(pair.requests(PROMPTS)), key=lambda a: a.request.key)
    assert [a.tokens for a in again] == [a.tokens for a in expected]


@pytest.mark.parametrize(
    ("route", "message"),
    [
        (lambda step: Route(step.pending + 3), "route_token: verdict: expected KEEP"),
        (
            lambda step: Route(step.pending * 0, step.pending * torch.nan),
            "route_token: signal: expected numbers, got nan",
        ),
    ],
)
def test_bad_routes_are_refused_while_decoding(pair, route, message):
    class Bad(Strategy):
        @hookimpl
        def route_token(self, step):
            return route(step)

    with pytest.raises(HookError) as error:
        pair.run(Bad(), [[1], [2]])
    assert message in str(error.value)
