"""The suite lets right strategies pass, whatever their shape."""

import pytest

from hybridcore.conformance import check_strategy
from hybridcore.conformance.suite import CHECKS

from .shapes import SHAPES

QUICK = [check.id for check in CHECKS if check.family not in ("EVAL", "PERF")]


@pytest.mark.parametrize("strategy", SHAPES, ids=lambda strategy: strategy.__name__)
def test_a_right_strategy_passes(strategy):
    results = check_strategy(strategy, only=QUICK)
    assert results.ok, results
    assert not [r for r in results if r.outcome == "skipped"]
