"""Where a model computes, which is not always where its weights lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def execution_device(model: Any) -> torch.device:
    """Return the device that a model's inputs go to.

    Weights that accelerate has offloaded (to the CPU, to disk) lie on no device until
    the hook of their layer fetches them: the first hook of the model knows where to.
    """
    for module in model.modules():
        for found in _hooked_devices(module):
            return found
    device: torch.device = model.device
    return device


def _hooked_devices(module: Any) -> Iterator[torch.device]:
    hook = getattr(module, "_hf_hook", None)
    for one in getattr(hook, "hooks", (hook,)):
        found = getattr(one, "execution_device", None)
        if found is not None:
            yield torch.device(found)
