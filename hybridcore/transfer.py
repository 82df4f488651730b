"""Small tensors between host and device, without waiting more often than needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .precision import widest_float

_BELOW_ONE = 1 - 2**-24  # the largest float32 below 1


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


def send(
    values: Sequence[Any], device: torch.device, dtype: torch.dtype | None = None
) -> Tensor:
    """Return numbers of the host as a tensor on a device, without waiting for it."""
    tensor = torch.tensor(values, dtype=dtype)
    if device.type == "cuda":
        # what is copied from pageable memory waits for all that the device has to do
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def uniform_numbers(numbers: Sequence[Any], device: torch.device) -> Tensor:
    """Put numbers in [0, 1), nested as they are, on a device; none is rounded to 1."""
    dtype = widest_float(device)
    made = send(numbers, device, dtype)
    return made if dtype is torch.float64 else made.clamp_max_(_BELOW_ONE)


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
