"""Packs the linear layers of a model where a measurement says that it pays.

Each shape by itself (``packing_gain.py``). What the packed model computes is compared
with what it computed before, and taken back if it differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .calling import vocab_width
from .packed_linear import PackedGate, PackedLinear, available
from .packing_gain import gains, shape_of
from .trial import errors

_WORTH = 1.2  # times faster, in three measurements together
_ALLOWED = 1e-3  # error, in spreads of the logits
_GATED = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a layer stands in its model."""

    parent: nn.Module
    name: str
    layer: Any

    def put(self, layer: nn.Module) -> None:
        setattr(self.parent, self.name, layer)


@torch.no_grad()
def pack(model: Any) -> int:
    """Replace linear layers by packed ones where those are faster; return how many.

    Nothing is done unless the model is float32, on the CPU, unquantised and in one
    piece. A model that was packed can no longer be trained or saved.
    """
    if not available() or not _packable(model):
        return 0
    places = list(_places(model, lambda m: type(m) is nn.Linear and not _watched(m)))
    found = gains([place.layer for place in places])
    places = [p for p in places if found[shape_of(p.layer)] >= _WORTH]
    if not places:
        return 0
    before = _logits(model)
    uses = Counter(id(p) for m in model.modules() for p in m.parameters(recurse=False))
    for place in places:
        place.put(PackedLinear(place.layer, keep=uses[id(place.layer.weight)] > 1))
    gated = list(_places(model, _is_gated))
    for place in gated:
        place.put(PackedGate(place.layer))
    if errors(_logits(model), before).max() <= _ALLOWED:
        return len(places)
    for place in [*gated, *places]:
        place.put(place.layer)
    return 0


def _packable(model: Any) -> bool:
    if getattr(model, "quantization_method", None) or hasattr(model, "peft_config"):
        return False
    kinds = {(p.device.type, p.dtype) for p in model.parameters()}
    return kinds == {("cpu", torch.float32)}


def _places(model: nn.Module, wanted: Callable[[nn.Module], bool]) -> Iterator[_Place]:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if wanted(child):
                yield _Place(parent, name, child)


def _watched(module: nn.Module) -> bool:
    """Tell whether somebody has hung something on a layer: hooks, an offload."""
    hooks = (module._forward_hooks, module._forward_pre_hooks)
    return any(hooks) or hasattr(module, "_hf_hook") or "forward" in vars(module)


def _is_gated(module: nn.Module) -> bool:
    """Tell whether a module has the layers of a gated MLP with SiLU, all packed."""
    layers = [getattr(module, name, None) for name in _GATED]
    if not all(isinstance(layer, PackedLinear) for layer in layers):
        return False
    act = getattr(module, "act_fn", None)
    some = torch.linspace(-4.0, 4.0, 9)
    return isinstance(act, nn.Module) and torch.equal(act(some), functional.silu(some))


def _logits(model: Any) -> Tensor:
    ids = torch.arange(16)[None] % vocab_width(model)
    logits: Tensor = model(input_ids=ids, use_cache=False).logits[0]
    return logits.float()
