"""How precise numbers can be on a device."""

from __future__ import annotations

import torch


def widest_float(device: torch.device) -> torch.dtype:
    """Return the widest floating-point type that a device has: MPS has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64
