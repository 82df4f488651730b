"""Where a model computes, which is not always where its weights lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def execution_device(model: Any) -> torch.device:
    """Return the device that a model's inputs go to.

    Weights that accelerate has offloaded (to the CPU, to disk) lie on no device until
    the hook of their layer fetches them; the hook of the embeddings knows where to.
    """
    embedding = model.get_input_embeddings()
    device: torch.device = model.device
    others = model.modules() if device.type == "meta" else ()
    for module in (embedding, *others):
        for found in _hooked_devices(module):
            return found
    return device


def _hooked_devices(module: Any) -> Iterator[torch.device]:
    hook = getattr(module, "_hf_hook", None)
    for one in getattr(hook, "hooks", (hook,)):
        found = getattr(one, "execution_device", None)
        if found is not None:
            yield torch.device(found)
