"""How precise numbers can be on a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_BELOW_ONE = 1 - 2**-24  # the largest float32 below 1


def widest_float(device: torch.device) -> torch.dtype:
    """Return the widest floating-point type that a device has: MPS has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def uniform_numbers(numbers: Sequence[Any], device: torch.device) -> Tensor:
    """Put numbers in [0, 1), nested as they are, on a device; none is rounded to 1."""
    dtype = widest_float(device)
    made = torch.tensor(numbers, dtype=dtype, device=device)
    return made if dtype is torch.float64 else made.clamp_max_(_BELOW_ONE)
