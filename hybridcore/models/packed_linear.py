"""Linear layers whose weights lie as a kernel of the CPU wants them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .huge_pages import Shelf


class PackedLinear(nn.Module):
    """An ``nn.Linear`` for inference on the CPU, its weight in an order of its own.

    ``weight`` remains as a parameter without storage, for those who ask for its shape.

    :param linear: float32, on the CPU.
    :param keep: the weight is used elsewhere too (tied embeddings), so it stays.
    """

    def __init__(self, linear: nn.Linear, keep: bool) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.bias = linear.bias
        self.weight = linear.weight if keep else _shape_of(linear.weight)


class GatedMlp(nn.Module):
    """A gated MLP, ``down(silu(gate(x)) * up(x))``, of the layers of another one.

    :param mlp: has them as ``gate_proj``, ``up_proj`` and ``down_proj``.
    """

    def __init__(self, mlp: Any) -> None:
        super().__init__()
        self.gate_proj = mlp.gate_proj
        self.up_proj = mlp.up_proj
        self.down_proj = mlp.down_proj


class Layout(ABC):
    """A way to lay weights.

    Attributes:
        compiles: torch's compiler can read it.
    """

    compiles: bool

    @abstractmethod
    def fits(self, outs: Sequence[int]) -> bool:
        """Tell whether layers with so many outputs, all of one input, can be packed."""

    @abstractmethod
    def packed(
        self, layers: Sequence[nn.Linear], keep: Sequence[bool], shelf: Shelf
    ) -> list[PackedLinear]:
        """Return packed layers for some that read the same input, one after another.

        :param shelf: where their weights may lie.
        """

    @abstractmethod
    def gate(self, mlp: Any) -> GatedMlp | None:
        """Return a gated MLP with SiLU in fewer operators, if there is one.

        :param mlp: its ``gate_proj`` and ``up_proj`` were packed together.
        """


def _shape_of(weight: torch.Tensor) -> nn.Parameter:
    empty = torch.empty(weight.shape, dtype=weight.dtype, device="meta")
    return nn.Parameter(empty, requires_grad=False)
