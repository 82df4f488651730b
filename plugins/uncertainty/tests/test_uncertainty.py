"""ASK exactly where the best token's probability leaves more than the threshold."""

import pytest
import torch
from hybridlm_strategy_uncertainty import Uncertainty

from hybridcore import Route, Step
from hybridcore.errors import OptionError


def step(*laws):
    logits = torch.tensor(laws).log()
    rows = torch.zeros(len(laws), dtype=torch.long)
    return Step(logits, logits.softmax(-1), rows, rows + 9, [None] * len(laws))


def test_asks_above_the_threshold():
    route = Uncertainty(threshold=0.5).route_token(step([0.6, 0.4], [0.45, 0.55]))
    assert route.verdict.tolist() == [Route.KEEP, Route.KEEP]
    route = Uncertainty(threshold=0.42).route_token(step([0.6, 0.4], [0.45, 0.55]))
    assert route.verdict.tolist() == [Route.KEEP, Route.ASK]
    torch.testing.assert_close(route.signal, torch.tensor([0.4, 0.45]))


def test_extremes_and_range():
    certain = step([1.0, 0.0], [0.5, 0.5])
    always = Uncertainty(threshold=-1.0).route_token(certain)
    assert always.verdict.tolist() == [Route.ASK] * 2
    never = Uncertainty(threshold=1.0).route_token(certain)
    assert never.verdict.tolist() == [Route.KEEP] * 2
    with pytest.raises(OptionError, match=r"between -1\.0 and 1\.0"):
        Uncertainty(threshold=1.5)
