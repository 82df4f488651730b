"""How much memory this process may still take."""

from __future__ import annotations

import os

import psutil
import torch

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def free_bytes(device: torch.device) -> int:
    """Return the memory that this process may still take on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(
            device
        )
        return int(free + cached)
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    available = psutil.virtual_memory().available
    return int(min([available, *_cgroup_bytes()]) // processes)


def _cgroup_bytes() -> list[int]:
    """Return what a container's limit leaves, where there is one."""
    left = []
    for limit_file, used_file in _CGROUPS:
        try:
            with open(limit_file) as limit, open(used_file) as used:
                left.append(max(0, int(limit.read()) - int(used.read())))
        except (OSError, ValueError):
            continue
    return left
