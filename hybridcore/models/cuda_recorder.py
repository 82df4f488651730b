"""Records what a function does on one GPU, to be done again without Python."""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch

# runs a function, and returns what does the same again
Recorder: TypeAlias = Callable[[Callable[[], object]], Callable[[], object]]


def recorder(model: Any) -> Recorder | None:
    """Return what records CUDA graphs of a model; None where it is not on one GPU."""
    devices = {parameter.device for parameter in model.parameters()}
    if len(devices) != 1 or next(iter(devices)).type != "cuda":
        return None
    (device,) = devices
    stream = torch.cuda.Stream(device)
    pool: Any = None
    alive: weakref.WeakSet[torch.cuda.CUDAGraph] = weakref.WeakSet()

    def record(run: Callable[[], object]) -> Callable[[], object]:
        nonlocal pool
        # what is in it may be shared: whoever replays takes the results at once
        pool = pool if alive else torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                with _no_waiting():
                    run()  # which may allocate what the recorded run must find
                graph.capture_begin(pool, capture_error_mode="thread_local")
                try:
                    run()
                finally:
                    graph.capture_end()
            torch.cuda.current_stream().wait_stream(stream)
        alive.add(graph)
        return graph.replay

    return record


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
