"""The untimed pass: what a side answers, reads and takes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch

from ..models.calling import vocab_width
from .forward_count import ForwardCount
from .logits_watch import LogitsWatch
from .memory import PeakMemory
from .side import LocalSide, Side
from .workload import SCORING, Workload


@dataclass(frozen=True)
class Inspection:
    """What one untimed pass showed.

    Attributes:
        outputs: the answers.
        counts: what the side counted itself.
        calls, tokens: of each model by role, padding included; empty for a model in
            another process.
        memory: bytes above what was in use before.
        logits: bytes of logits alive at the peak; None where not watched.
    """

    outputs: list[Any]
    counts: Mapping[str, Any]
    calls: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    memory: int = 0
    logits: int | None = None


def inspect(side: Side, workload: Workload) -> Inspection:
    """Run ``side`` once with everything watched."""
    models = side.models()
    device = side.device if isinstance(side, LocalSide) else torch.device("cpu")
    watch: LogitsWatch | None = None
    with ExitStack() as stack:
        forwards = stack.enter_context(ForwardCount(models))
        memory = stack.enter_context(PeakMemory(device, side.process()))
        if models and workload.kind in SCORING:
            widths = [vocab_width(model) for model in models.values()]
            watch = LogitsWatch(widths, models.values())
            stack.enter_context(watch)
        done = side.run(workload)
    return Inspection(
        outputs=done.outputs,
        counts=done.counts,
        calls=forwards.calls,
        tokens=forwards.tokens,
        memory=memory.bytes,
        logits=None if watch is None else watch.peak,
    )
