"""``batch_size=auto``: as many rows as fit in memory, computed, never tried out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import psutil
import torch

_USED = 0.8  # of the free memory; the rest is for what is not counted here
_GROWTH = 1.5  # a cache that grows is held twice for a moment
_LOGITS_COPIES = 4  # raw, processed, law, and one to work with, in float32
_ACTIVATIONS = 16  # hidden-sized vectors that are alive at once, for each token
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def rows_in_flight(
    models: Sequence[Any], tokens: int, positions: int, limit: int
) -> int:
    """Return how many rows can be generated at once.

    :param models: the loaded models that take part.
    :param tokens: longest row, prompt and answer.
    :param positions: longest block, whose logits of every position are kept.
    :param limit: never more than this.
    """
    width = max(_text_config(model).vocab_size for model in models)
    cost = sum(_GROWTH * cache_bytes(model) * tokens for model in models)
    cost += len(models) * _LOGITS_COPIES * 4 * positions * width
    return _fitting(models, cost, limit)


def rows_scored(models: Sequence[Any], tokens: int, limit: int) -> int:
    """Return how many sequences of ``tokens`` can be scored in one forward."""
    cost = 0.0
    for model in models:
        config = _text_config(model)
        logits = _LOGITS_COPIES * 4 * config.vocab_size
        vectors = _ACTIVATIONS * _itemsize(model) * config.hidden_size
        cost = max(cost, tokens * (logits + vectors + cache_bytes(model)))
    return _fitting(models, cost, limit)


def cache_bytes(model: Any) -> int:
    """Return the bytes of keys and values that one token of one row takes."""
    config = _text_config(model)
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * config.num_hidden_layers * key_heads * size * _itemsize(model))


def _fitting(models: Sequence[Any], cost: float, limit: int) -> int:
    devices = {weight.device for model in models for weight in model.parameters()}
    free = sum(free_bytes(device) for device in devices if device.type != "meta")
    return max(1, min(limit, int(_USED * free / max(cost, 1))))


def free_bytes(device: torch.device) -> int:
    """Return the memory that this process may still take on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(
            device
        )
        return int(free + cached)
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    available = psutil.virtual_memory().available
    return int(min([available, *_cgroup_bytes()]) // processes)


def _cgroup_bytes() -> list[int]:
    """Return what a container's limit leaves, where there is one."""
    left = []
    for limit_file, used_file in _CGROUPS:
        try:
            with open(limit_file) as limit, open(used_file) as used:
                left.append(max(0, int(limit.read()) - int(used.read())))
        except (OSError, ValueError):
            continue
    return left


def _text_config(model: Any) -> Any:
    config = model.config
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _itemsize(model: Any) -> int:
    dtype = getattr(model, "dtype", torch.float32)
    return dtype.itemsize if isinstance(dtype, torch.dtype) else 4
