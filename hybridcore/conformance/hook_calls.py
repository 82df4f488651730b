"""Every hook of a strategy as a call without arguments, to be timed or looked at."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ..dispatch import Dispatcher
from ..exchange import Positions, Step
from .blocks import random_block
from .rows import Rows
from .subject import Subject

ROWS = 4
DRAFTS = (4, 3, 0, 4)


def hook_calls(subject: Subject, size: int) -> dict[str, Callable[[], Any]]:
    """Return calls of the deciding hooks, by name, on a vocabulary of ``size``.

    ``verify`` is left out where it reads a state, which only decoding can make.
    """
    dispatcher = subject.dispatcher()
    strategy: Any = dispatcher.strategy
    step = Rows.random(ROWS, size, seed=1).step(dispatcher)
    positions = _positions(size)
    block = random_block(subject, DRAFTS, seed=1, size=size)
    calls = {
        "route_token": lambda: strategy.route_token(step=step),
        "draft": lambda: strategy.draft(step=step),
        "score": lambda: strategy.score(positions=positions),
        "verify": lambda: strategy.verify(block=block),
    }
    wanted = subject.hooks - ({"verify"} if "start" in subject.hooks else set())
    return {name: call for name, call in calls.items() if name in wanted}


def synchronisations(subject: Subject, size: int) -> int:
    """Return how often ``route_token`` waits for the GPU that its step lies on."""
    dispatcher = subject.dispatcher()
    step = _on_gpu(Rows.random(ROWS, size, seed=1).step(dispatcher))
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _route(dispatcher, step)
    finally:
        torch.cuda.set_sync_debug_mode(before)
    return sum("synchronizing" in str(warning.message) for warning in caught)


def _route(dispatcher: Dispatcher, step: Step) -> None:
    strategy: Any = dispatcher.strategy
    strategy.route_token(step=step)


def _on_gpu(step: Step) -> Step:
    names = ("logits", "law", "pending", "budget", "hidden")
    moved = {n: getattr(step, n).cuda() for n in names if getattr(step, n) is not None}
    return replace(step, **moved)


def _positions(size: int) -> Positions:
    logits = torch.randn(2, 20, size, generator=torch.Generator().manual_seed(1))
    return Positions(
        logits[0], logits[1], torch.arange(20) % size, torch.zeros(20).long()
    )
