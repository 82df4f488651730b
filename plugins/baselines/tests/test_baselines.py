"""One model alone, the other alone, and a coin that depends on the row only."""

import torch
from hybridlm_strategy_baselines import LlmOnly, Random, SlmOnly

from hybridcore import Route, Step


def step(rows):
    pending = torch.zeros(len(rows), dtype=torch.long)
    return Step(
        None, None, pending, pending + 9, [None] * len(rows), sequences=rows.__getitem__
    )


def test_one_model_alone():
    asked = step([[1], [2]])
    assert SlmOnly().route_token(asked).verdict.tolist() == [Route.KEEP] * 2
    assert LlmOnly().route_token(asked).verdict.tolist() == [Route.ASK] * 2
    assert "slm" not in LlmOnly.requires
    assert LlmOnly.lossless
    assert not SlmOnly.lossless


def test_random_is_a_function_of_seed_and_row():
    rows = [[i, i + 1, i * 7] for i in range(400)]
    one = Random(fraction=0.25, seed=1).route_token(step(rows)).verdict
    assert torch.equal(
        one.flip(0), Random(fraction=0.25, seed=1).route_token(step(rows[::-1])).verdict
    )
    assert 0.15 < (one == Route.ASK).float().mean() < 0.35
    other = Random(fraction=0.25, seed=2).route_token(step(rows)).verdict
    assert not torch.equal(one, other)


def test_random_at_its_ends():
    rows = [[i] for i in range(50)]
    assert not Random(fraction=0.0).route_token(step(rows)).verdict.any()
    assert Random(fraction=1.0).route_token(step(rows)).verdict.eq(Route.ASK).all()
