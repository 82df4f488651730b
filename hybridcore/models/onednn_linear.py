"""Linear layers in oneDNN's own order.

torch's float32 ``linear`` calls MKL, which keeps to AVX2 on AMD processors; oneDNN, in
the same torch, does not. A weight that oneDNN has reordered once multiplies faster, to
the same float32 results but for rounding. The operators are not public API of torch, so
everything here is guarded by their presence, by a comparison and by a measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .huge_pages import Shelf
from .packed_linear import GatedMlp, Layout, PackedLinear


class OneDnnLayout(Layout):
    """One order of a weight, opaque to others, for any number of rows."""

    compiles = False

    def fits(self, outs: Sequence[int]) -> bool:
        """Tell whether this torch has the operators."""
        names = ("_reorder_linear_weight", "_linear_pointwise")
        return torch.backends.mkldnn.is_available() and all(
            hasattr(torch.ops.mkldnn, name) for name in names
        )

    def packed(
        self, layers: Sequence[nn.Linear], keep: Sequence[bool], shelf: Shelf
    ) -> list[PackedLinear]:
        """Return a layer for each."""
        return [
            OneDnnLinear(layer, kept) for layer, kept in zip(layers, keep, strict=True)
        ]

    def gate(self, mlp: Any) -> GatedMlp:
        """Return the MLP with its gate in two operators."""
        return OneDnnGate(mlp)


class OneDnnLinear(PackedLinear):
    """A linear layer whose weight oneDNN has reordered."""

    def __init__(self, linear: nn.Linear, keep: bool) -> None:
        super().__init__(linear, keep)
        self.packed = _reordered(linear.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``inputs @ weight.T + bias``; inputs are ``[..., in_features]``."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(
            inputs, self.packed, self.bias, "none", [], ""
        )
        return result

    def swish(self, inputs: Tensor) -> Tensor:
        """Return SiLU of the product."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(
            inputs, self.packed, self.bias, "swish", [], ""
        )
        return result

    def times(self, inputs: Tensor, other: Tensor) -> Tensor:
        """Return the product, multiplied by ``other [..., out_features]``."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            inputs, other, self.packed, self.bias, "mul"
        )
        return result


class OneDnnGate(GatedMlp):
    """A gated MLP, its gate in two operators."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[..., D]`` for ``inputs [..., D]``."""
        gate = self.gate_proj.swish(inputs)
        result: Tensor = self.down_proj(self.up_proj.times(inputs, gate))
        return result


def _reordered(weight: Tensor) -> Tensor:
    result: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
    return result
