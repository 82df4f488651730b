"""What the machine can do at most: measured beside the rounds, in the same run."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from ..models.huge_pages import Shelf
from ..processor import processor_name

_REPEATS = 3
_SIDE = {"cpu": 2048, "cuda": 8192}  # of the square matrices
_BYTES = {"cpu": 2**28, "cuda": 2**31}  # of the tensor that is read


@dataclass
class Machine:
    """Rates of a device, each the median of what was measured in the rounds.

    ``operations`` are per second, of the fastest product of two large matrices that
    torch offers; ``bandwidth`` is bytes per second, read or copied.
    """

    device: torch.device
    dtype: torch.dtype
    operations_seen: list[float] = field(default_factory=list)
    bandwidth_seen: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Measure both rates once more."""
        products = _products(self.device, self.dtype)
        size = _SIDE[self.device.type]
        work = 2 * size**3
        self.operations_seen.append(max(work / self._best(f) for f in products))
        self.bandwidth_seen.append(self._bandwidth())

    @property
    def operations(self) -> float:
        """Operations per second."""
        return statistics.median(self.operations_seen)

    @property
    def bandwidth(self) -> float:
        """Bytes per second."""
        return statistics.median(self.bandwidth_seen)

    def _bandwidth(self) -> float:
        count = _BYTES[self.device.type] // 4
        source = torch.ones(count, device=self.device)
        if self.device.type == "cpu":
            source = Shelf().moved(source)  # where weights are, too
        target = torch.empty_like(source)
        read = 4 * count / self._best(source.sum)
        return max(read, 8 * count / self._best(lambda: target.copy_(source)))

    def _best(self, run: Callable[[], object]) -> float:
        run()
        return min(self._seconds(run) for _ in range(_REPEATS))

    def _seconds(self, run: Callable[[], object]) -> float:
        self._settle()
        start = time.perf_counter()
        run()
        self._settle()
        return time.perf_counter() - start

    def _settle(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _products(device: torch.device, dtype: torch.dtype) -> list[Callable[[], Tensor]]:
    size = _SIDE[device.type]
    a = torch.randn(size, size, device=device, dtype=dtype)
    b = torch.randn(size, size, device=device, dtype=dtype)
    ways: list[Callable[[], Tensor]] = [lambda: torch.nn.functional.linear(a, b)]
    packed = _packed(b, size) if device.type == "cpu" else None
    if packed is not None:
        ways.append(lambda: packed(a))
    return ways


def _packed(weight: Tensor, rows: int) -> Callable[[Tensor], Tensor] | None:
    """Return oneDNN's linear on a reordered weight; None where torch has none."""
    try:
        ready = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        product = torch.ops.mkldnn._linear_pointwise
        product(weight[:1], ready, None, "none", [], "")
    except (AttributeError, RuntimeError):
        return None
    return lambda a: product(a, ready, None, "none", [], "")


def described(device: torch.device) -> dict[str, Any]:
    """Return what was measured on: processor, threads, versions."""
    packages = ("torch", "transformers", "lm_eval", "hybridlm")
    return {
        "processor": processor_name(),
        "device": str(device),
        "accelerator": _accelerator(device),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


def _accelerator(device: torch.device) -> str | None:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None
