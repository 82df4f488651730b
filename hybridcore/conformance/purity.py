"""Whether a hook leaves alone what it is given, its strategy, and the process."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..exchange import Block, Positions, Step
from ..strategy import Strategy
from .check import Failure
from .world import Untouched

Given = Step | Block | Positions


@contextmanager
def pure(hook: str, strategy: Strategy, given: Given, example: str) -> Iterator[None]:
    """Fail where what happens inside changes ``given``, the strategy or the world.

    States are left out: they are the row's own, and the strategy's to change.
    """
    fields, itself = _contents(given), _attributes(strategy)
    with Untouched(hook):
        yield
    for name, now in _contents(given).items():
        if not _equal(fields[name], now):
            kind = type(given).__name__.lower()
            raise Failure(
                f"{hook} leaves {kind}.{name} as it was",
                f"{now} for {fields[name]}",
                example,
            )
    for name, value in itself.items():
        if not _equal(value, now := vars(strategy).get(name)):
            raise Failure(
                f"{hook} leaves the instance as it was",
                f"its attribute {name!r} is {now!r} now, was {value!r}",
                example,
            )


def _contents(given: Given) -> dict[str, Any]:
    found = {
        field.name: getattr(given, field.name)
        for field in dataclasses.fields(given)
        if field.name not in ("states", "sequences")
    }
    if isinstance(given, Step):
        found["tokens"] = [list(given.tokens(i)) for i in range(len(given))]
    return {
        name: value.clone() if isinstance(value, Tensor) else value
        for name, value in found.items()
    }


def _attributes(strategy: Strategy) -> dict[str, Any]:
    """Copies of the attributes, as far as a copy can be compared with its original."""
    copies = {name: copy.deepcopy(value) for name, value in vars(strategy).items()}
    return {n: c for n, c in copies.items() if _equal(c, getattr(strategy, n))}


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        same = one.shape == other.shape
        return same and torch.equal(one.nan_to_num(-7.0), other.nan_to_num(-7.0))
    return bool(one == other)
