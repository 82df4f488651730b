"""Memory in huge pages, for what every step reads from end to end.

A processor remembers where some thousand pages lie. A model's weights in pages of 4 KiB
are a hundred thousand, each looked up anew in every step, on a virtual machine twice
over. Linux gives pages of 2 MiB to memory that asks for them (``madvise(2)``,
``MADV_HUGEPAGE``); where it does not, nothing but speed is lost.
"""

from __future__ import annotations

import mmap
from typing import Any

import torch
from torch import Tensor, nn

HUGE = 2**21  # bytes of a page; less is not worth one
_SHELF = 2**26  # bytes asked for at once
_ALIGNED = 64  # bytes that vector instructions like to begin at


class Shelf:
    """Room for tensors that live as long as each other, one behind another."""

    def __init__(self) -> None:
        self._room: Tensor | None = None

    def copy(self, tensor: Tensor) -> Tensor:
        """Return a copy of a tensor of the CPU, contiguous."""
        size = -(-tensor.nbytes // _ALIGNED) * _ALIGNED
        if self._room is None or len(self._room) < size:
            self._room = _region(max(size, _SHELF))
        if self._room is None:
            return tensor.clone(memory_format=torch.contiguous_format)
        memory, self._room = self._room[: tensor.nbytes], self._room[size:]
        return memory.view(tensor.dtype).view(tensor.shape).copy_(tensor)


@torch.no_grad()
def settle(model: nn.Module) -> None:
    """Move a model's parameters to huge pages, those that are plain and on the CPU."""
    plain = [parameter for parameter in model.parameters() if _plain(parameter)]
    if sum(parameter.nbytes for parameter in plain) < HUGE:
        return
    shelf = Shelf()
    for parameter in plain:
        parameter.data = shelf.copy(parameter.data)


def _plain(parameter: Any) -> bool:
    return (
        type(parameter) is nn.Parameter
        and type(parameter.data) is Tensor
        and parameter.device.type == "cpu"
        and parameter.is_contiguous()
    )


def _region(size: int) -> Tensor | None:
    """Return ``size`` bytes in huge pages, None where there are none."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
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
