"""CHECK at the last draft, then rejection sampling; the rest is the engine's."""

import pytest
import torch
from hybridlm_strategy_speculative import Speculative

from hybridcore import Route, Step
from hybridcore.errors import OptionError


def test_checks_at_the_last_draft():
    pending = torch.tensor([0, 1, 2, 3])
    step = Step(None, None, pending, pending + 9, [None] * 4)
    verdict = Speculative(num_drafts=3).route_token(step).verdict
    assert verdict.tolist() == [Route.KEEP, Route.KEEP, Route.CHECK, Route.CHECK]


def test_capabilities_and_range():
    assert Speculative.lossless
    assert Speculative.holds()
    assert Speculative().num_drafts == 4
    with pytest.raises(OptionError, match="at least 1"):
        Speculative(num_drafts=0)
