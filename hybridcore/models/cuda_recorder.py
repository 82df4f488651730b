"""CUDA graphs: what a step does on one GPU, to be done again without Python."""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from .attention import SHORT
from .recorder import Recordable, Recorder


class CudaGraphs(Recorder):
    """Records what is launched, in memory that all recordings share."""

    kind = "CUDA graphs"
    worth = 3
    # a launch costs more than what is read in vain
    share = 0.0
    spare, reach = 3, SHORT

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool: Any = None
        self._alive: weakref.WeakSet[torch.cuda.CUDAGraph] = weakref.WeakSet()

    def record(self, step: Recordable) -> Callable[[], Tensor]:
        """Return what launches the step again; its logits lie where they lay.

        :raises RuntimeError: the step waits for the device.
        """
        # what is in it may be shared: whoever replays takes the results at once
        self._pool = self._pool if self._alive else torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                with _no_waiting():
                    step.run()  # which may allocate what the recorded run must find
                graph.capture_begin(self._pool, capture_error_mode="thread_local")
                try:
                    logits = step.run()
                finally:
                    graph.capture_end()
            torch.cuda.current_stream().wait_stream(self._stream)
        self._alive.add(graph)

        def replay() -> Tensor:
            graph.replay()
            return logits

        return replay


@contextlib.contextmanager
def _no_waiting() -> Iterator[None]:
    """Have what waits for the device raise: that cannot be recorded."""
    before = torch.cuda.get_sync_debug_mode()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls it a prototype
            torch.cuda.set_sync_debug_mode("error")
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
