"""The untimed pass: what a side answers, reads and takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
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

    def calls_of(self, role: str) -> int | None:
        """Calls of a model, a batch as one, as far as known."""
        # a side's own count knows of calls that were recorded and pass no model
        own = self.counts.get(f"{role}_calls")
        return own or self.calls.get(role)

    def tokens_of(self, role: str) -> int | None:
        """Positions that a model computed, with padding where that is known."""
        own = self.counts.get(f"{role}_tokens_processed") or 0
        return max(own, self.tokens.get(role) or 0) or None


def inspect(side: Side, workload: Workload) -> Inspection:
    """Run ``side`` once with everything watched."""
    models = side.models()
    device = side.device if isinstance(side, LocalSide) else torch.device("cpu")
    forwards = ForwardCount(models)
    memory = PeakMemory(device, side.process())
    logits: LogitsWatch | None = None
    if models and workload.kind in SCORING:
        widths = [vocab_width(model) for model in models.values()]
        logits = LogitsWatch(widths, models.values())
    # the side enters it when it is ready: getting ready runs the models too
    done = side.run(workload, _all(forwards, memory, logits or nullcontext()))
    return Inspection(
        outputs=done.outputs,
        counts=done.counts,
        calls=forwards.calls,
        tokens=forwards.tokens,
        memory=memory.bytes,
        logits=None if logits is None else logits.peak,
    )


@contextmanager
def _all(*watches: AbstractContextManager[Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for watch in watches:
            stack.enter_context(watch)
        yield
