"""What is in a model's weights, in a few letters: a copied folder is the same model."""

from __future__ import annotations

import hashlib

import torch

_SAMPLES = 32  # values read of each weight


def weights_digest(model: torch.nn.Module) -> str:
    """Return a short digest of a model's weights: names, shapes and sampled values."""
    digest = hashlib.blake2b(digest_size=8)
    for name, weight in model.state_dict().items():
        digest.update(f"{name}{tuple(weight.shape)}{weight.dtype}".encode())
        if not weight.is_meta and weight.numel():
            digest.update(_sampled(weight))
    return digest.hexdigest()


def _sampled(weight: torch.Tensor) -> bytes:
    local = weight.to_local() if hasattr(weight, "to_local") else weight
    values = local.detach().flatten()
    step = max(1, values.numel() // _SAMPLES)
    return str(values[::step].tolist()).encode()
