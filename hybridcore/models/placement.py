"""Where a model computes, which is not always where its weights lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch

from .packed_linear import PackedLinear

_LAYER = re.compile(r".*?\.\d+\.")  # the name of a parameter up to its layer's number


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


def layer_devices(model: Any) -> list[torch.device]:
    """Return the device that each layer of a model computes on, at least one."""
    found: dict[str, torch.device] = {}
    first = execution_device(model)
    for name, weight in model.named_parameters():
        layer = _LAYER.match(name)
        if layer and layer[0] not in found:
            module = model.get_submodule(name.rpartition(".")[0])
            # what is packed has left a parameter without storage behind
            lies = first if isinstance(module, PackedLinear) else weight.device
            found[layer[0]] = next(_hooked_devices(module), lies)
    return list(found.values()) or [first]


def _hooked_devices(module: Any) -> Iterator[torch.device]:
    hook = getattr(module, "_hf_hook", None)
    for one in getattr(hook, "hooks", (hook,)):
        found = getattr(one, "execution_device", None)
        if found is not None:
            yield torch.device(found)
