"""Routers follow the law they define, token by token, against a plain loop."""

import random

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly, Random, SlmOnly
from hybridlm_strategy_entropy import Entropy
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty

from hybridcore import laws, signals
from hybridcore.decoding.step_law import WarpLaw

PROMPTS = [[1], [2, 3], [0, 5, 1, 1], [7], [4, 4], [6, 2, 0], [3], [5]]


def plain_loop(pair, prompt, repeat, tokens, law, ask):
    """Route one row at a time, with nothing of the engine but its random numbers."""
    from hybridcore.decoding.randomness import row_seed

    numbers = random.Random(row_seed(0, prompt, repeat))
    ids, origin = list(prompt), []
    for _ in range(tokens):
        routed = bool(ask(pair.q[ids[-1]]))
        table = pair.p if routed else pair.q
        uniform = torch.tensor(numbers.random(), dtype=torch.double)
        ids.append(laws.sample(law(None, table[ids[-1]][None])[0], uniform).item())
        origin.append(routed)
    return tuple(ids[len(prompt) :]), origin


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize(
    ("strategy", "ask"),
    [
        (Uncertainty(threshold=0.6), lambda z: signals.least_confidence(z) > 0.6),
        (Entropy(threshold=1.2), lambda z: signals.entropy(z) > 1.2),
    ],
    ids=["uncertainty", "entropy"],
)
def test_routing_is_its_definition(pair, strategy, ask, batch, temperature):
    law = WarpLaw(temperature)
    answers = pair.run(strategy, PROMPTS, batch=batch, law=law)
    routed = 0
    for i, answer in enumerate(answers):
        tokens, origin = plain_loop(
            pair, PROMPTS[i], i, 12, law, lambda z: bool(ask(z))
        )
        assert answer.tokens == tokens
        assert [e.from_llm for e in answer.provenance] == origin
        routed += sum(origin)
    assert 0 < routed < 12 * len(PROMPTS)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("kind", [Uncertainty, Entropy])
def test_extreme_thresholds_are_the_models_alone(pair, kind, temperature):
    law = WarpLaw(temperature)

    def tokens(strategy):
        return [a.tokens for a in pair.run(strategy, PROMPTS, law=law)]

    highest = 1.0 if kind is Uncertainty else 100.0
    assert tokens(kind(threshold=highest)) == tokens(SlmOnly())
    assert tokens(kind(threshold=-1.0)) == tokens(LlmOnly())
    assert tokens(SlmOnly()) != tokens(LlmOnly())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    "strategy",
    [Uncertainty(threshold=0.6), Entropy(threshold=1.0), Speculative(num_drafts=3),
     LlmOnly(), SlmOnly(), Random(fraction=0.3)],
    ids=lambda s: type(s).__name__,
)  # fmt: skip
def test_a_row_does_not_depend_on_its_batch(pair, strategy, temperature):
    law = WarpLaw(temperature)
    prompts = PROMPTS * 2
    alone = pair.run(strategy, prompts, batch=1, law=law)
    together = pair.run(strategy, prompts, batch=8, law=law, price=2)
    assert [a.tokens for a in alone] == [a.tokens for a in together]
    assert [a.provenance for a in alone] == [a.provenance for a in together]


@pytest.mark.parametrize("drafts", [1, 2, 4, 7])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_greedy_speculation_is_the_llm_alone(make_pair, batch, drafts):
    for seed in range(5):
        pair = make_pair(seed=seed)
        law = WarpLaw(0.0)
        expected = pair.run(LlmOnly(), PROMPTS, law=law)
        got = pair.run(Speculative(num_drafts=drafts), PROMPTS, law=law, batch=batch)
        assert [a.tokens for a in got] == [a.tokens for a in expected]


def test_random_asks_at_its_fraction(pair):
    answers = pair.run(Random(fraction=0.3, seed=4), [[i % 8] for i in range(60)])
    asked = [e.from_llm for a in answers for e in a.provenance]
    assert sum(asked) / len(asked) == pytest.approx(0.3, abs=0.06)
    other = pair.run(Random(fraction=0.3, seed=5), [[i % 8] for i in range(60)])
    assert [a.provenance for a in other] != [a.provenance for a in answers]
