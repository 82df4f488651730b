"""How much memory a block of code took at its peak."""

from __future__ import annotations

import ctypes
import gc
import threading
from types import TracebackType

import psutil
import torch

_PAUSE = 0.002  # seconds between two looks at the resident memory


class PeakMemory:
    """Measures growth: on CUDA by its allocator, else of the resident memory.

    :param device: where the models are.
    :param process: its memory and that of its children counts; None is this one,
        without children.

    ``bytes`` is how far the peak lay above what was in use at the start.
    """

    bytes: int = 0

    def __init__(self, device: torch.device, process: int | None = None) -> None:
        self._cuda = device if device.type == "cuda" and process is None else None
        self._process = psutil.Process(process)
        self._children = process is not None
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._start = self._peak = 0

    def __enter__(self) -> PeakMemory:
        gc.collect()
        if self._cuda is not None:
            torch.cuda.reset_peak_memory_stats(self._cuda)
            self._start = torch.cuda.memory_allocated(self._cuda)
            return self
        _give_back()
        self._start = self._peak = self._resident()
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._cuda is not None:
            self._peak = torch.cuda.max_memory_allocated(self._cuda)
        else:
            self._done.set()
            self._watcher.join()
        self.bytes = self._peak - self._start

    def _watch(self) -> None:
        while not self._done.wait(_PAUSE):
            self._peak = max(self._peak, self._resident())

    def _resident(self) -> int:
        own = int(self._process.memory_info().rss)
        if not self._children:
            return own
        children = self._process.children(recursive=True)
        return own + sum(int(child.memory_info().rss) for child in children)


def _give_back() -> None:
    """Ask the allocator for what it keeps: a peak within it would not be seen."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
