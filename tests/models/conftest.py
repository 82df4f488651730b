"""Tiny models, built once: no test changes one; and a collector that stays away."""

import gc

import pytest

from hybridcore.conformance.tiny import tiny_model


@pytest.fixture(scope="session")
def tiny():
    """``tiny(kind)``: the random model of that architecture, shared by all tests."""
    made = {}
    return lambda kind: made.setdefault(kind, tiny_model(kind))


@pytest.fixture
def uncollected():
    """What is freed is freed at once, or not at all."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
