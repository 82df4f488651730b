"""Brings small tensors to the host together: one transfer where each would be one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .precision import widest_float


def fetch(*tensors: Tensor | None) -> list[Any]:
    """Return each tensor as nested lists, as ``tolist`` gives it; None stays None.

    What lies on one device leaves it in one transfer, as float64 where the device has
    that, so this is the only place at which a move waits for it. Whole numbers beyond
    2**53 lose digits.
    """
    lists: list[Any] = [None] * len(tensors)
    away: dict[torch.device, list[int]] = {}
    for place, tensor in enumerate(tensors):
        if tensor is None:
            continue
        if tensor.is_cpu:
            lists[place] = tensor.tolist()
        else:
            away.setdefault(tensor.device, []).append(place)
    for places in away.values():
        moved = _moved([tensors[place] for place in places])  # type: ignore[misc]
        for place, tensor in zip(places, moved, strict=True):
            lists[place] = tensor.tolist()
    return lists


def _moved(tensors: Sequence[Tensor]) -> list[Tensor]:
    if widest_float(tensors[0].device) is not torch.float64:
        return [tensor.cpu() for tensor in tensors]
    # float64 holds every float32 and every id as it is
    flat = torch.cat([tensor.reshape(-1).double() for tensor in tensors]).cpu()
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [
        part.to(tensor.dtype).reshape(tensor.shape)
        for part, tensor in zip(parts, tensors, strict=True)
    ]
