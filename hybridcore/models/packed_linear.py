"""Linear layers whose weights lie as the CPU's fastest kernel wants them.

torch's float32 ``linear`` calls MKL, which keeps to AVX2 on AMD processors; oneDNN, in
the same torch, does not. A weight that oneDNN has reordered once multiplies faster, to
the same float32 results but for rounding. The operators are not public API of torch, so
everything here is guarded by their presence, by a comparison and by a measurement.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class PackedLinear(nn.Module):
    """An ``nn.Linear`` for inference on the CPU, its weight in oneDNN's own order.

    ``weight`` remains as a parameter without storage, for those who ask for its shape.

    :param linear: float32, on the CPU.
    :param keep: the weight is used elsewhere too (tied embeddings), so it stays.
    """

    def __init__(self, linear: nn.Linear, keep: bool) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.bias = linear.bias
        self.packed = reordered(linear.weight)
        self.weight = linear.weight if keep else _shape_of(linear.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``inputs @ weight.T + bias``; inputs are ``[..., in_features]``."""
        return product(inputs, self.packed, self.bias)

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


class PackedGate(nn.Module):
    """A gated MLP, ``down(silu(gate(x)) * up(x))``, in three operators."""

    def __init__(self, mlp: Any) -> None:
        super().__init__()
        self.gate_proj = mlp.gate_proj
        self.up_proj = mlp.up_proj
        self.down_proj = mlp.down_proj

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[..., D]`` for ``inputs [..., D]``."""
        gate = self.gate_proj.swish(inputs)
        result: Tensor = self.down_proj(self.up_proj.times(inputs, gate))
        return result


def available() -> bool:
    """Tell whether this torch has the operators."""
    names = ("_reorder_linear_weight", "_linear_pointwise")
    return torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name) for name in names
    )


def reordered(weight: Tensor) -> Tensor:
    """Return a weight ``[out, in]`` in oneDNN's order; it fits any batch."""
    result: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
    return result


def product(inputs: Tensor, packed: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``[..., out]`` for ``inputs [..., in]`` and a reordered weight."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(
        inputs, packed, bias, "none", [], ""
    )
    return result


def _shape_of(weight: Tensor) -> nn.Parameter:
    empty = torch.empty(weight.shape, dtype=weight.dtype, device="meta")
    return nn.Parameter(empty, requires_grad=False)
