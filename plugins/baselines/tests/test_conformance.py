"""The conformance suite, whole."""

import pytest

from hybridcore.conformance import check_strategy


@pytest.mark.parametrize("name", ["slm-only", "llm-only", "random"])
def test_conforms(name):
    results = check_strategy(name, in_process=True)
    assert results.ok, results
