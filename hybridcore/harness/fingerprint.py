"""What an answer depends on, besides the request: the stamp of a response cache."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .hybrid_lm import HybridLM

_SAMPLES = 32  # values read of each weight
_SETTINGS = (
    "revision",
    "max_length",
    "scoring_window",
    "truncation",
    "add_bos_token",
    "custom_prefix_token_id",
    "think_end_token",
    "softmax_dtype",
    "mixed_precision_dtype",
)


def fingerprint(lm: HybridLM) -> dict[str, str]:
    """Return what must be equal for two set-ups to share answers.

    Models are known by what is in them, not by their place: a copied folder is the
    same model, a retrained one in the same folder is not.
    """
    strategy = lm.strategy
    slm = lm.pair.slm if lm.runs_slm or lm.scores_with_slm else None
    stamp = {
        "slm": "none" if slm is None else f"{slm.named} [{weights_digest(slm.model)}]",
        "llm": f"{lm.named} [{weights_digest(lm.model)}]",
        "strategy": f"{type(strategy).__module__}.{type(strategy).__qualname__}",
        "options": repr(strategy.options()),
        "scoring": lm.scoring,
        "dtype": str(getattr(lm.model, "dtype", None)),
    }
    return stamp | {name: str(getattr(lm, name)) for name in _SETTINGS}


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
