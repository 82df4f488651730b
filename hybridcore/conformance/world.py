"""What is global in a process: what importing or running a strategy must not change."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import sys
import warnings
from typing import Any

import torch

from .check import Failure

_ODD = 0x5EED_0DD5


def random_state() -> dict[str, str]:
    """Return digests of the states of all global random number generators."""
    state = {
        "random": _digest(repr(random.getstate()).encode()),
        "torch": _digest(torch.get_rng_state().numpy().tobytes()),
    }
    if "numpy" in sys.modules:
        drawn = sys.modules["numpy"].random.get_state()[1]
        state["numpy.random"] = _digest(drawn.tobytes())
    return state


def world() -> dict[str, Any]:
    """Return everything global that a strategy could be tempted to change."""
    return {
        "torch's default dtype": str(torch.get_default_dtype()),
        "torch's number of threads": torch.get_num_threads(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "the root logger's level": logging.root.level,
        "the root logger's handlers": len(logging.root.handlers),
        "the warning filters": len(warnings.filters),
        "the working directory": os.getcwd(),
        "the environment": _digest(repr(sorted(os.environ.items())).encode()),
        **{f"the state of {name}": s for name, s in random_state().items()},
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what differs between two snapshots, in words."""
    return [name for name in after if name in before and after[name] != before[name]]


class Untouched:
    """``with Untouched("route_token"): ...`` fails where global state changed.

    The generators are seeded with an odd number meanwhile, so that seeding them with
    a usual one is seen however often it was done before.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        self._generators = random.getstate(), torch.get_rng_state()
        random.seed(_ODD)
        # not torch.manual_seed, which would seed the GPUs, too
        torch.default_generator.manual_seed(_ODD)
        self._before = world()

    def __exit__(self, kind: Any, *rest: Any) -> None:
        names = changed(self._before, world())
        random.setstate(self._generators[0])
        torch.set_rng_state(self._generators[1])
        if kind is None and names:
            raise Failure(
                f"{self._doing} changes nothing global", f"it changed {names[0]}"
            )


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
