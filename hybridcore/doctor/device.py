"""Where models run unless ``device`` says otherwise."""

from __future__ import annotations

from typing import Any

import psutil
import torch

from ..processor import processor_name
from .finding import Finding

_GIB = 2**30


def look() -> Finding:
    """Name the device that ``device=cuda`` comes to, and its memory."""
    facts = gpu() if torch.cuda.is_available() else cpu()
    parts = [f"{facts['device']}: {facts['name']}", f"{facts['memory_gib']} GiB"]
    if facts["device"] == "cpu":
        number = facts["threads"]
        parts.append(f"{number} thread{'s' if number > 1 else ''}")
        if facts["cuda_build"]:
            parts.append(f"torch is built for CUDA {facts['cuda_build']}, sees no GPU")
    elif facts["count"] > 1:
        parts.append(f"one of {facts['count']}")
    return Finding(", ".join(parts), facts)


def gpu() -> dict[str, Any]:
    """Return what is known of the GPU that is used first."""
    properties = torch.cuda.get_device_properties(0)
    return {
        "device": "cuda",
        "name": properties.name,
        "memory_gib": round(properties.total_memory / _GIB, 1),
        "count": torch.cuda.device_count(),
        "cuda_build": torch.version.cuda,
    }


def cpu() -> dict[str, Any]:
    """Return what is known of the processor."""
    return {
        "device": "cpu",
        "name": processor_name(),
        "memory_gib": round(psutil.virtual_memory().total / _GIB, 1),
        "threads": torch.get_num_threads(),
        "cuda_build": torch.version.cuda,
    }
