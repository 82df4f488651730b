"""Memory in huge pages, for what every step reads from end to end.

A processor remembers where some thousand pages lie. A model's weights in pages of 4 KiB
are a hundred thousand, each looked up anew in every step, on a virtual machine twice
over. Linux gives pages of 2 MiB to memory that asks for them (``madvise(2)``,
``MADV_HUGEPAGE``); where it does not, weights stay where they are.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .free_memory import free_bytes

HUGE = 2**21  # bytes of a page; less is not worth one
_SHELF = 2**26  # bytes asked for at once
_ALIGNED = 64  # bytes that vector instructions like to begin at
_SPARE = 2  # times what is moved must be free
_MODE = Path("/sys/kernel/mm/transparent_hugepage/enabled")


class Shelf:
    """Room for tensors that live as long as each other, one behind another."""

    def __init__(self) -> None:
        self._room: Tensor | None = None

    def moved(self, tensor: Tensor) -> Tensor:
        """Return a tensor of the CPU, contiguous, in huge pages if there are any."""
        size = -(-tensor.nbytes // _ALIGNED) * _ALIGNED
        if self._room is None or len(self._room) < size:
            self._room = _region(max(size, _SHELF))
        if self._room is None:
            return tensor.contiguous()
        memory, self._room = self._room[: tensor.nbytes], self._room[size:]
        return memory.view(tensor.dtype).view(tensor.shape).copy_(tensor)


@torch.no_grad()
def settle(model: nn.Module) -> None:
    """Move a model's parameters to huge pages, those that are plain and on the CPU.

    Nothing moves where memory is short: weights that were only mapped from a file take
    none before.
    """
    plain = [parameter for parameter in model.parameters() if _plain(parameter)]
    size = sum(parameter.nbytes for parameter in plain)
    if size < HUGE or free_bytes(torch.device("cpu")) < _SPARE * size:
        return
    shelf = Shelf()
    for parameter in plain:
        parameter.data = shelf.moved(parameter.data)


def _offered() -> bool:
    try:
        return hasattr(mmap, "MADV_HUGEPAGE") and "[never]" not in _MODE.read_text()
    except OSError:
        return False


def _plain(parameter: Any) -> bool:
    return (
        type(parameter) is nn.Parameter
        and type(parameter.data) is Tensor
        and parameter.device.type == "cpu"
        and parameter.layout is torch.strided
        and not (parameter.is_quantized or parameter.is_shared())
        and parameter.is_contiguous()
    )


def _region(size: int) -> Tensor | None:
    """Return ``size`` bytes in huge pages, None where there are none."""
    if not _offered():
        return None
    try:
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        memory = mmap.mmap(-1, size + HUGE, flags=private)
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:
        return None  # no such pages, or no memory: torch's allocator will say so
    whole = torch.frombuffer(memory, dtype=torch.uint8)
    first = -whole.data_ptr() % HUGE
    return whole[first : first + size]
