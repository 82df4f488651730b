"""Finds a model's linear layers, those that read the same input together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

GATE = ("gate_proj", "up_proj")
_TOGETHER = (("q_proj", "k_proj", "v_proj"), GATE)  # by the names that models give them


@dataclass(frozen=True, slots=True)
class Place:
    """Where a module stands in its model."""

    parent: nn.Module
    name: str
    module: Any

    def put(self, module: nn.Module) -> None:
        """Have another module stand there."""
        setattr(self.parent, self.name, module)


def linear_groups(model: nn.Module) -> Iterator[tuple[Place, ...]]:
    """Yield plain linear layers in the model's order, those of one input at once.

    Layers that somebody has hung something on are left out.
    """
    for parent in list(model.modules()):
        found = {
            name: Place(parent, name, child)
            for name, child in parent.named_children()
            if type(child) is nn.Linear and not watched(child)
        }
        for names in _TOGETHER:
            if all(name in found for name in names):
                yield tuple(found.pop(name) for name in names)
        for place in found.values():
            yield (place,)


def gated_mlps(model: nn.Module) -> Iterator[Place]:
    """Yield modules that look like ``down(silu(gate(x)) * up(x))``."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if _gated(child):
                yield Place(parent, name, child)


def watched(module: nn.Module) -> bool:
    """Tell whether somebody has hung something on a layer: hooks, an offload."""
    hooks = (module._forward_hooks, module._forward_pre_hooks)
    return any(hooks) or hasattr(module, "_hf_hook") or "forward" in vars(module)


def _gated(module: nn.Module) -> bool:
    parts = (getattr(module, name, None) for name in (*GATE, "down_proj", "act_fn"))
    if not all(isinstance(part, nn.Module) for part in parts):
        return False
    act: Any = module.act_fn
    if watched(module) or watched(act):
        return False
    some = torch.linspace(-4.0, 4.0, 9)
    return torch.equal(act(some), functional.silu(some))
