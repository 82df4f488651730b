"""Packs the linear layers of a model where a measurement says that it pays.

Each shape by itself, in the layout that suits it best (``packing_gain.py``). What the
packed model computes is compared with what it computed before, and taken back if it
differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .blocked_linear import BlockedLayout
from .calling import vocab_width
from .huge_pages import Shelf
from .linear_places import GATE, Place, gated_mlps, linear_groups
from .onednn_linear import OneDnnLayout
from .packed_linear import Layout
from .packing_gain import Group, gains, shape_of
from .trial import errors

_LAYOUTS: tuple[Layout, ...] = (OneDnnLayout(), BlockedLayout())
_WORTH = 1.02  # times faster; less is within the noise
_ALLOWED = 1e-3  # error, in spreads of the logits


@torch.no_grad()
def pack(model: Any, compiles: bool = False) -> int:
    """Replace linear layers by packed ones where those are faster; return how many.

    Nothing is done unless the model is float32, on the CPU, unquantised and in one
    piece. A model that was packed can no longer be trained or saved.

    :param compiles: only in ways that torch's compiler reads.
    """
    layouts = [layout for layout in _LAYOUTS if layout.compiles or not compiles]
    chosen = _chosen(model, layouts) if _packable(model) else []
    if not chosen:
        return 0
    before = _logits(model)
    replaced = [place for group, _ in chosen for place in group]
    _put_packed(model, chosen)
    replaced += _put_gates(model, chosen)
    if errors(_logits(model), before).max() <= _ALLOWED:
        return sum(len(group) for group, _ in chosen)
    for place in reversed(replaced):
        place.put(place.module)
    return 0


def _packable(model: Any) -> bool:
    if getattr(model, "quantization_method", None) or hasattr(model, "peft_config"):
        return False
    kinds = {(p.device.type, p.dtype) for p in model.parameters()}
    return kinds == {("cpu", torch.float32)}


def _chosen(
    model: nn.Module, layouts: Sequence[Layout]
) -> list[tuple[tuple[Place, ...], Layout]]:
    """Return which layers to pack, and how."""
    groups = list(linear_groups(model))
    found = gains([_layers(group) for group in groups], layouts)
    best = ((group, _best(found[shape_of(_layers(group))])) for group in groups)
    return [(group, layout) for group, layout in best if layout is not None]


def _best(gains: dict[Layout, float]) -> Layout | None:
    """Return the layout that gains most, None where none gains enough."""
    best = max(gains, key=gains.__getitem__, default=None)
    return best if best and gains[best] >= _WORTH else None


def _put_packed(
    model: nn.Module, chosen: Sequence[tuple[tuple[Place, ...], Layout]]
) -> None:
    uses = Counter(id(p) for m in model.modules() for p in m.parameters(recurse=False))
    shelf = Shelf()
    for group, layout in chosen:
        layers = _layers(group)
        keep = [uses[id(layer.weight)] > 1 for layer in layers]
        for place, packed in zip(
            group, layout.packed(layers, keep, shelf), strict=True
        ):
            place.put(packed)


def _put_gates(
    model: nn.Module, chosen: Sequence[tuple[tuple[Place, ...], Layout]]
) -> Iterator[Place]:
    """Put fewer operators for MLPs whose gates were packed; yield where."""
    layouts = {
        group[0].parent: layout
        for group, layout in chosen
        if tuple(place.name for place in group) == GATE
    }
    for place in gated_mlps(model):
        layout = layouts.get(place.module)
        gate = layout.gate(place.module) if layout else None
        if gate is not None and _same(gate, place.module):
            place.put(gate)
            yield place


def _same(gate: nn.Module, mlp: Any) -> bool:
    """Tell whether a gate computes what an MLP does, which may clamp or scale."""
    draws = torch.Generator().manual_seed(0)
    drawn = torch.randn(2, 3, mlp.gate_proj.in_features, generator=draws)
    for scale in (1.0, 1e3):
        found, expected = gate(drawn * scale), mlp(drawn * scale)
        if not (found - expected).abs().max() <= _ALLOWED * expected.abs().max():
            return False
    return True


def _layers(group: Sequence[Place]) -> Group:
    return tuple(place.module for place in group)


def _logits(model: Any) -> Tensor:
    ids = torch.arange(16)[None] % vocab_width(model)
    logits: Tensor = model(input_ids=ids, use_cache=False).logits[0]
    return logits.float()
