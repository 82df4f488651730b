"""Root-mean-square norms in one operator of torch, where it computes the very same.

Modelling code spells them out: eight operators, of which seven only launch. torch's own
does the same steps. Variants (Gemma multiplies by one more than the weight) stay.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from .linear_places import Place, watched

_EPSILONS = ("variance_epsilon", "eps")  # as models call it
_SCALES = (1e-4, 1.0, 1e3)  # of the inputs that are tried; epsilon counts in the first


@torch.no_grad()
def shorten(model: nn.Module) -> int:
    """Replace norms by ``nn.RMSNorm`` where results are equal to the bit.

    The weights stay the same parameters under the same names. Returns how many were
    replaced.
    """
    if len({parameter.dtype for parameter in model.parameters()}) > 1:
        return 0  # norms may get inputs of another type than their weights
    found = [
        (Place(parent, name, child), short)
        for parent in list(model.modules())
        for name, child in parent.named_children()
        if (short := _shorter(child)) is not None
    ]
    for place, short in found:
        place.put(short)
    return len(found)


def _shorter(norm: Any) -> nn.RMSNorm | None:
    if not type(norm).__name__.endswith("RMSNorm") or type(norm) is nn.RMSNorm:
        return None
    epsilon = next((e for e in (getattr(norm, n, None) for n in _EPSILONS) if e), None)
    weights = dict(norm.named_parameters())
    if epsilon is None or list(weights) != ["weight"] or watched(norm):
        return None
    if norm.weight.device.type != "cpu":
        return None  # elsewhere one kernel rounds otherwise than several do
    if len(inspect.signature(norm.forward).parameters) != 1:
        return None  # it takes a gate or a residual as well
    short = nn.RMSNorm(norm.weight.shape, epsilon, device="meta")
    short.weight = norm.weight
    same = all(torch.equal(short(x), norm(x)) for x in _samples(norm.weight))
    return short.train(norm.training) if same else None


def _samples(weight: Tensor) -> list[Tensor]:
    draws = torch.Generator().manual_seed(0)
    drawn = torch.randn(2, 3, *weight.shape, generator=draws).to(weight)
    return [drawn * scale for scale in _SCALES]
