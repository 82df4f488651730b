"""``batch_size=auto``: as many rows as fit in memory, computed, no batch tried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch

from ..models.free_memory import free_bytes
from ..models.placement import execution_device, layer_devices

Cost: TypeAlias = Counter[torch.device]  # bytes of one row
_USED = 0.8  # of the free memory; the rest is for what is not counted here
_GROWTH = 1.5  # a cache that grows is held twice for a moment
_LOGITS_COPIES = 4  # raw, processed, law, and one to work with, in float32
_ACTIVATIONS = 16  # hidden-sized vectors that are alive at once, for each token


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
    logits = _LOGITS_COPIES * 4 * positions * width
    cost: Cost = Counter()
    for model in models:
        cached = _GROWTH * cache_bytes(model) * tokens
        for device, share in _shares(model).items():
            cost[device] += logits + share * cached
    return _fitting(cost, limit)


def rows_scored(models: Sequence[Any], tokens: int, limit: int) -> int:
    """Return how many sequences of ``tokens`` can be scored in one forward."""
    cost: Cost = Counter()
    for model in models:
        config = _text_config(model)
        logits = _LOGITS_COPIES * 4 * config.vocab_size
        vectors = _ACTIVATIONS * _itemsize(model) * config.hidden_size
        cached = cache_bytes(model)
        for device, share in _shares(model).items():
            one = tokens * (logits + vectors + share * cached)
            cost[device] = max(cost[device], one)
    return _fitting(cost, limit)


@torch.inference_mode()
def cache_bytes(model: Any) -> int:
    """Return the bytes that one token of one row takes in a model's cache.

    Measured by reading one: what attention keeps (latents, the keys of another layer)
    no configuration says. A model without attention (Mamba, RWKV) keeps none.
    """
    ids = torch.zeros((1, 1), dtype=torch.long, device=execution_device(model))
    try:
        read = model(input_ids=ids, use_cache=True)
    # whatever a foreign model raises, it can still be read without a cache
    except Exception:
        return 0
    layers = getattr(getattr(read, "past_key_values", None), "layers", ())
    kept = [getattr(layer, n, None) for layer in layers for n in ("keys", "values")]
    return sum(tensor.nbytes for tensor in kept if isinstance(tensor, torch.Tensor))


def _shares(model: Any) -> dict[torch.device, float]:
    """Return the devices that a model computes on, with their shares of its layers.

    Logits may come to lie on any of them.
    """
    layers = layer_devices(model)
    return {device: layers.count(device) / len(layers) for device in layers}


def _fitting(cost: Cost, limit: int) -> int:
    """Return the rows for which every device has room."""
    rows = [
        int(_USED * free_bytes(device) / max(bytes_, 1))
        for device, bytes_ in cost.items()
        if device.type != "meta"
    ]
    return max(1, min([limit, *rows]))


def _text_config(model: Any) -> Any:
    config = model.config
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _itemsize(model: Any) -> int:
    dtype = getattr(model, "dtype", torch.float32)
    return dtype.itemsize if isinstance(dtype, torch.dtype) else 4
