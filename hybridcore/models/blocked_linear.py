"""Linear layers whose weights lie in blocks, each a small matrix of its own.

MKL multiplies four rows or more by a large weight in a way meant for many rows: it
copies the weight as it goes, which takes longer than the product. Of many small
matrices, in one batched product, each is multiplied where it lies, and weights are read
once, from end to end. Layers that read the same input are one such product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .huge_pages import Shelf
from .packed_linear import GatedMlp, Layout, PackedLinear

# outputs of a block, the best first, by measurement (docs/design.md)
_HEIGHTS = (48, 32, 24, 16)


class BlockedLayout(Layout):
    """Blocks ``[out / height, in, height]``."""

    compiles = True

    def fits(self, outs: Sequence[int]) -> bool:
        """Tell whether the outputs of all can be dealt to blocks of one height."""
        return _height(outs) > 0

    def packed(
        self, layers: Sequence[nn.Linear], keep: Sequence[bool], shelf: Shelf
    ) -> list[PackedLinear]:
        """Return layers that compute their products together."""
        height = _height([layer.out_features for layer in layers])
        blocks = torch.cat([_blocks(layer.weight, height) for layer in layers])
        siblings = Siblings(
            shelf.moved(blocks), [n.out_features // height for n in layers]
        )
        return [
            BlockedLinear(layer, siblings, place, kept)
            for place, (layer, kept) in enumerate(zip(layers, keep, strict=True))
        ]

    def gate(self, mlp: Any) -> GatedMlp | None:
        """Return the MLP with its gate on blocks, if there are no biases."""
        biased = mlp.gate_proj.bias is not None or mlp.up_proj.bias is not None
        return None if biased else BlockedGate(mlp)


class Siblings:
    """Layers that read the same input: whoever is asked first computes for all.

    :param blocks: of all layers ``[blocks, in, height]``, one layer behind another.
    :param counts: how many are each layer's.
    """

    def __init__(self, blocks: Tensor, counts: Sequence[int]) -> None:
        self.blocks = blocks
        self.counts = list(counts)
        self._inputs: Tensor | None = None
        self._waiting: dict[int, Tensor] = {}

    def product(self, place: int, inputs: Tensor) -> Tensor:
        """Return ``[blocks, rows, height]`` of one layer, whose number is ``place``."""
        if self._inputs is not inputs or place not in self._waiting:
            parts = products(inputs, self.blocks).split(self.counts)
            self._inputs, self._waiting = inputs, dict(enumerate(parts))
        found = self._waiting.pop(place)
        if not self._waiting:
            self._inputs = None
        return found


class BlockedLinear(PackedLinear):
    """One of the layers of some :class:`Siblings`."""

    def __init__(
        self, linear: nn.Linear, siblings: Siblings, place: int, keep: bool
    ) -> None:
        super().__init__(linear, keep)
        self.siblings = siblings
        self._place = place

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``inputs @ weight.T + bias``; inputs are ``[..., in_features]``."""
        result = joined(self.siblings.product(self._place, inputs), inputs)
        return result if self.bias is None else result + self.bias


class BlockedGate(GatedMlp):
    """A gated MLP, its gate computed on blocks."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[..., D]`` for ``inputs [..., D]``."""
        gate, up = products(inputs, self.gate_proj.siblings.blocks).chunk(2)
        hidden = functional.silu(gate).mul_(up)
        result: Tensor = self.down_proj(joined(hidden, inputs))
        return result


def products(inputs: Tensor, blocks: Tensor) -> Tensor:
    """Return ``[blocks, rows, height]``, where rows are all of ``inputs [..., in]``."""
    rows = inputs.reshape(1, -1, inputs.shape[-1])
    return torch.bmm(rows.expand(len(blocks), -1, -1), blocks)


def joined(products: Tensor, inputs: Tensor) -> Tensor:
    """Return ``[..., blocks * height]``, the rows as those of ``inputs`` were."""
    return products.transpose(0, 1).reshape(*inputs.shape[:-1], -1)


def _height(outs: Sequence[int]) -> int:
    """Return how many outputs a block has; 0 where no number of them fits."""
    common = math.gcd(*outs)
    return next((height for height in _HEIGHTS if common % height == 0), 0)


def _blocks(weight: Tensor, height: int) -> Tensor:
    blocks = weight.detach().view(-1, height, weight.shape[1])
    return blocks.transpose(1, 2)
