"""ASK exactly where the entropy in nats exceeds the threshold."""

import math

import pytest
import torch
from hybridlm_strategy_entropy import Entropy

from hybridcore import Route, Step
from hybridcore.errors import OptionError


def step(*laws):
    logits = torch.tensor(laws).log()
    rows = torch.zeros(len(laws), dtype=torch.long)
    return Step(logits, logits.softmax(-1), rows, rows + 9, [None] * len(laws))


def test_asks_above_the_threshold():
    flat, sharp = [0.25] * 4, [0.97, 0.01, 0.01, 0.01]
    route = Entropy(threshold=1.0).route_token(step(flat, sharp))
    assert route.verdict.tolist() == [Route.ASK, Route.KEEP]
    assert route.signal[0].item() == pytest.approx(math.log(4))


def test_default_extremes_and_range():
    assert Entropy().threshold == 2.0
    certain = step([1.0, 0.0])
    assert Entropy(threshold=-1.0).route_token(certain).verdict.tolist() == [Route.ASK]
    assert Entropy(threshold=0.0).route_token(certain).verdict.tolist() == [Route.KEEP]
    with pytest.raises(OptionError, match=r"at least -1\.0"):
        Entropy(threshold=-2.0)
