"""Packs the linear layers of a model where a measurement says that it pays.

All or none: the measurement weighs every shape by how often it occurs. What the packed
model computes is compared with what it computed before, and taken back if it differs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .calling import vocab_width
from .packed_linear import PackedGate, PackedLinear, available, product, reordered
from .trial import errors

_ROWS = (8, 256)  # tokens of a decoding step, tokens of a prefill
_SECONDS = 0.02  # of measuring, for each of them and each shape
_WORTH = 1.02  # times faster
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
    if not places or _gain([place.layer for place in places]) < _WORTH:
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


def _gain(layers: list[Any]) -> float:
    """Return how many times faster the layers are when packed."""
    shapes = Counter(tuple(layer.weight.shape) for layer in layers)
    examples = {tuple(layer.weight.shape): layer.weight for layer in layers}
    gain = 1.0
    for rows in _ROWS:
        times = torch.zeros(2)
        for shape, count in shapes.items():
            times += count * _seconds(examples[shape], rows)
        gain *= float(times[0] / times[1])
    return gain


def _seconds(weight: Tensor, rows: int) -> Tensor:
    """Return the least time of the plain and of the packed product, taken in turns."""
    packed = reordered(weight)
    inputs = torch.ones(rows, weight.shape[1])
    best = torch.full((2,), torch.inf)
    end, turns = time.perf_counter() + _SECONDS, 0
    while turns < 2 or time.perf_counter() < end:
        turns += 1
        for i in range(2):
            began = time.perf_counter()
            functional.linear(inputs, weight) if i == 0 else product(inputs, packed)
            best[i] = min(best[i].item(), time.perf_counter() - began)
    return best


def _logits(model: Any) -> Tensor:
    ids = torch.arange(16)[None] % vocab_width(model)
    logits: Tensor = model(input_ids=ids, use_cache=False).logits[0]
    return logits.float()
