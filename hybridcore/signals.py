"""Uncertainty signals of a next-token law.

Each takes raw logits ``[..., V]`` and returns ``[...]`` float32 at temperature 1,
so a threshold means the same under every sampling setting. Logits of -inf are
tokens that cannot occur. Adding a constant to all logits changes nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def least_confidence(logits: Tensor) -> Tensor:
    """``1 - max q``, in [0, 1): how far the best token is from certain."""
    return 1.0 - logits.float().softmax(-1).amax(-1)


def entropy(logits: Tensor) -> Tensor:
    """Shannon entropy ``-sum q log q`` in nats, in [0, log V]."""
    log_law = logits.float().log_softmax(-1)
    # 0 log 0 = 0, where a masked token would give 0 * -inf
    return -(log_law.exp() * log_law.clamp_min(-1e4)).sum(-1)


def margin(logits: Tensor) -> Tensor:
    """``q(1) - q(2)``, in [0, 1]: lead of the best token over the second."""
    best = logits.float().softmax(-1).topk(2, dim=-1).values
    return best[..., 0] - best[..., 1]


def logit_margin(logits: Tensor) -> Tensor:
    """``z(1) - z(2)`` in nats: the log ratio of the two best tokens."""
    best = logits.float().topk(2, dim=-1).values
    return best[..., 0] - best[..., 1]


def top_k_entropy(logits: Tensor, k: int = 10) -> Tensor:
    """Entropy in nats of the ``k`` best tokens, renormalised, in [0, log k]."""
    k = min(k, logits.shape[-1])
    return entropy(logits.float().topk(k, dim=-1).values)


def normalised_entropy(logits: Tensor) -> Tensor:
    """Entropy over the log of the number of possible tokens, in [0, 1]."""
    possible = torch.isfinite(logits).sum(-1).clamp_min(2)
    return entropy(logits) / possible.log().clamp_min(math.log(2.0))
