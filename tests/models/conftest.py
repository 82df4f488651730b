"""Tiny models, built once: no test changes one."""

import pytest

from hybridcore.conformance.tiny import tiny_model


@pytest.fixture(scope="session")
def tiny():
    """``tiny(kind)``: the random model of that architecture, shared by all tests."""
    made = {}
    return lambda kind: made.setdefault(kind, tiny_model(kind))
