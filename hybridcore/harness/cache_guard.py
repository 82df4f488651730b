"""Keeps lm_eval's ``--use_cache`` from mixing up models.

lm_eval keys its response cache by the request alone, so two pairs or strategies that
share a file silently exchange answers. Here the file is stamped with what answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, MutableMapping
from typing import Any

import torch

from ..errors import CacheMismatch

STAMP = "hybridlm:fingerprint"
_SAMPLES = 32  # values read of each weight


def guard(database: MutableMapping[str, Any], fingerprint: Mapping[str, str]) -> None:
    """Stamp an empty cache; let through only one with the same stamp.

    :raises CacheMismatch: the cache was written by another set-up.
    """
    stamp = database.get(STAMP)
    if stamp is None and len(database):
        _refuse(database, "it has answers of an unknown model and no stamp")
    elif stamp is None:
        database[STAMP] = dict(fingerprint)
    elif stamp != dict(fingerprint):
        _refuse(database, _differences(stamp, fingerprint))


def weights_digest(model: torch.nn.Module | None) -> str:
    """Return a short digest of a model's weights: names, shapes and sampled values."""
    if model is None:
        return "none"
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


def _differences(stamp: Mapping[str, str], mine: Mapping[str, str]) -> str:
    names = [n for n in {**stamp, **mine} if stamp.get(n) != mine.get(n)]
    return ", ".join(f"{n} {stamp.get(n)} there, {mine.get(n)} here" for n in names)


def _refuse(database: Any, reason: str) -> None:
    path = getattr(database, "filename", "the cache")
    close = getattr(database, "close", None)
    if close is not None:
        close()
    raise CacheMismatch(
        f"response cache {path!r} belongs to another set-up: {reason}\n"
        "name another file with --use_cache, or delete this one"
    )
