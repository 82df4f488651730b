"""Measures how linear layers are fastest, in the circumstances of their model.

A weight that was read a moment ago lies in a cache, and a product with it is another
than the one of a decoding step, which reads all weights once. So many layers take turns
in the order of the model, as plain ones and as packed ones.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import geometric_mean
from typing import TypeAlias

import torch
from torch import Tensor, nn

from .huge_pages import Shelf
from .packed_linear import Layout

Group: TypeAlias = tuple[nn.Linear, ...]  # layers that read the same input
Shape: TypeAlias = tuple[int, ...]  # in, and out of each layer
_Modules: TypeAlias = Sequence[nn.Module]
# one row's decoding step and block of drafts, a batch's step, a prefill; each counts
# as much
_ROWS = (1, 5, 8, 256)
_SAMPLE = 2**28  # bytes of weights to take turns, more than caches hold
_SECONDS = 0.05  # of turns, for each number of rows
_TURNS = 3  # at least


def shape_of(group: Group) -> Shape:
    """Return the sizes of layers that read the same input."""
    return (group[0].in_features, *(layer.out_features for layer in group))


@torch.inference_mode()
def gains(
    groups: Sequence[Group], layouts: Sequence[Layout]
) -> dict[Shape, dict[Layout, float]]:
    """Return how many times faster each layout makes the groups of each shape.

    The mean over some numbers of rows; layouts that a shape does not fit are left out.

    :param groups: of float32 layers on the CPU, in the order of their model.
    """
    sample = _sampled(groups)
    shapes = [shape_of(group) for group in sample]
    shelf = Shelf()
    ways = [[_settled(group, shelf) for group in sample]]
    ways += [[_packed(group, layout, shelf) for group in sample] for layout in layouts]
    seconds = [
        _taken(shapes, ways, {width: torch.ones(rows, width) for width, *_ in shapes})
        for rows in _ROWS
    ]
    return {
        shape: {
            layout: geometric_mean(
                plain[shape] / packed[i][shape] for plain, *packed in seconds
            )
            for i, layout in enumerate(layouts)
            if layout.fits(shape[1:])
        }
        for shape in dict.fromkeys(shapes)
    }


def _settled(group: Group, shelf: Shelf) -> _Modules:
    """Return plain layers whose weights lie where blocks would."""
    return [_moved(layer, shelf) for layer in group]


def _moved(layer: nn.Linear, shelf: Shelf) -> nn.Linear:
    moved = nn.Linear(layer.in_features, layer.out_features, device="meta")
    moved.weight = nn.Parameter(shelf.moved(layer.weight), requires_grad=False)
    moved.bias = layer.bias
    return moved


def _packed(group: Group, layout: Layout, shelf: Shelf) -> _Modules:
    if not layout.fits(shape_of(group)[1:]):
        return ()
    return layout.packed(group, [True] * len(group), shelf)


def _sampled(groups: Sequence[Group]) -> list[Group]:
    """Return the first groups, and the first of each shape."""
    sample, shapes, size = [], set(), 0
    for group in groups:
        if size < _SAMPLE or shape_of(group) not in shapes:
            sample.append(group)
            shapes.add(shape_of(group))
            size += sum(layer.weight.nbytes for layer in group)
    return sample


def _taken(
    shapes: Sequence[Shape],
    ways: Sequence[Sequence[_Modules]],
    inputs: dict[int, Tensor],
) -> list[dict[Shape, float]]:
    """Return for each way and shape the seconds of its groups in the best turn."""
    best = [dict.fromkeys(shapes, float("inf")) for _ in ways]
    end, turns = time.perf_counter() + _SECONDS, 0
    while turns < _TURNS or time.perf_counter() < end:
        turns += 1
        for groups, least in zip(ways, best, strict=True):
            spent = _turn(shapes, groups, inputs)
            least.update({s: min(least[s], spent[s]) for s in spent})
    return best


def _turn(
    shapes: Sequence[Shape],
    groups: Sequence[_Modules],
    inputs: dict[int, Tensor],
) -> dict[Shape, float]:
    spent = dict.fromkeys(shapes, 0.0)
    for shape, group in zip(shapes, groups, strict=True):
        began = time.perf_counter()
        for layer in group:
            layer(inputs[shape[0]])
        spent[shape] += time.perf_counter() - began
    return spent
