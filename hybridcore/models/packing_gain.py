"""Measures which linear layers are faster packed, in the circumstances of their model.

A weight that was read a moment ago lies in a cache, and a product with it is another
than the one of a decoding step, which reads all weights once. So many layers take turns
in the order of the model, as plain ones and as packed ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from .packed_linear import product, reordered

Shape: TypeAlias = tuple[int, ...]  # out, in
# one row's decoding step, that of a batch, a prefill; each counts as much
_ROWS = (1, 8, 256)
_SAMPLE = 2**27  # bytes of weights to take turns, more than caches hold
_SECONDS = 0.05  # of turns, for each number of rows
_TURNS = 3  # at least


def shape_of(layer: Any) -> Shape:
    """Return the shape of a linear layer's weight."""
    return tuple(layer.weight.shape)


def gains(layers: Sequence[Any]) -> dict[Shape, float]:
    """Return for each shape how many times faster its layers are when packed.

    :param layers: float32 ``nn.Linear`` on the CPU, in the order of their model.
    """
    sample = _sampled(layers)
    shapes = [shape_of(layer) for layer in sample]
    plain = [partial(functional.linear, weight=layer.weight) for layer in sample]
    packed = [partial(product, packed=reordered(layer.weight)) for layer in sample]
    found = dict.fromkeys(shapes, 1.0)
    for rows in _ROWS:
        inputs = {size: torch.ones(rows, size) for _, size in found}
        times = _taken(shapes, (plain, packed), inputs)
        for shape in found:
            found[shape] *= times[0][shape] / times[1][shape]
    return found


def _sampled(layers: Sequence[Any]) -> list[Any]:
    """Return the first layers, and the first of each shape."""
    sample, shapes, size = [], set(), 0
    for layer in layers:
        if size < _SAMPLE or shape_of(layer) not in shapes:
            sample.append(layer)
            shapes.add(shape_of(layer))
            size += layer.weight.numel() * layer.weight.itemsize
    return sample


def _taken(
    shapes: Sequence[Shape],
    ways: Sequence[Sequence[Callable[[Tensor], Tensor]]],
    inputs: dict[int, Tensor],
) -> list[dict[Shape, float]]:
    """Return for each way and shape the seconds of its layers in the best turn."""
    best = [dict.fromkeys(shapes, float("inf")) for _ in ways]
    end, turns = time.perf_counter() + _SECONDS, 0
    while turns < _TURNS or time.perf_counter() < end:
        turns += 1
        for layers, least in zip(ways, best, strict=True):
            spent = _turn(shapes, layers, inputs)
            least.update({s: min(least[s], spent[s]) for s in spent})
    return best


def _turn(
    shapes: Sequence[Shape],
    layers: Sequence[Callable[[Tensor], Tensor]],
    inputs: dict[int, Tensor],
) -> dict[Shape, float]:
    spent = dict.fromkeys(shapes, 0.0)
    for shape, layer in zip(shapes, layers, strict=True):
        began = time.perf_counter()
        layer(inputs[shape[1]])
        spent[shape] += time.perf_counter() - began
    return spent
