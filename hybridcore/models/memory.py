"""Tells running out of memory from other failures of a forward."""

from __future__ import annotations

import torch


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # the CPU's allocator has no type of its own
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
