"""The conformance suite, whole."""

from hybridcore.conformance import check_strategy


def test_conforms():
    results = check_strategy("entropy", in_process=True)
    assert results.ok, results
