"""One side of a comparison: something that answers lm_eval's requests."""

from __future__ import annotations

import gc
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from .workload import Workload

_NOTHING = nullcontext()


@dataclass(frozen=True)
class Pass:
    """One pass over a workload.

    Attributes:
        seconds: wall-clock time, loading and warming up left out.
        outputs: the answers, in the order of the requests.
        counts: what the side itself counted: see :class:`~hybridcore.tally.Tally`.
    """

    seconds: float
    outputs: list[Any]
    counts: Mapping[str, Any] = field(default_factory=dict)


class Side(ABC):
    """Answers workloads; every pass begins without anything kept from the last.

    Attributes:
        name: as tables call it.
        batch_size: requests it has in flight; None where it decides itself.
        exact: its answers must be ours up to rounding; not so where kernels and
            windows are its own.
    """

    name: str
    batch_size: int | None = None
    exact: bool = True

    @abstractmethod
    def run(
        self, workload: Workload, watch: AbstractContextManager[Any] = _NOTHING
    ) -> Pass:
        """Answer every request once and say how long it took.

        :param watch: entered when everything is ready, left when all is answered.
        """

    def models(self) -> Mapping[str, torch.nn.Module]:
        """Return the models in this process by role: ``"llm"``, ``"slm"``."""
        return {}

    def process(self) -> int | None:
        """Return the process whose memory counts; None is this one."""
        return None


class LocalSide(Side):
    """A side that runs in this process."""

    device = torch.device("cpu")

    def run(
        self, workload: Workload, watch: AbstractContextManager[Any] = _NOTHING
    ) -> Pass:
        """Answer every request, cold, and measure."""
        self.forget(workload)
        gc.collect()
        with watch:
            self._settle()
            start = time.perf_counter()
            outputs = self.answer(workload)
            self._settle()
            seconds = time.perf_counter() - start
        return Pass(seconds, outputs, self.counts())

    @abstractmethod
    def answer(self, workload: Workload) -> list[Any]:
        """Answer every request; this is what is timed."""

    def forget(self, workload: Workload) -> None:
        """Drop what an earlier pass kept; not timed."""

    def counts(self) -> Mapping[str, Any]:
        """Return what the last pass counted."""
        return {}

    def _settle(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
