"""Attention masks for rows that stand at different positions.

What a layer may see follows transformers' own rule (``create_masks_for_generate``):
one mask for each entry of ``layer_types`` where the configuration has them, else a
sliding or chunked mask where it names a window or a chunk size, else causal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which keys a query sees, by their positions.

    Attributes:
        visible: from positions of keys and of queries to booleans.
        first: from a query's position to that of the first key it sees.
    """

    visible: Callable[[Tensor, Tensor], Tensor]
    first: Callable[[int], int]

    def __call__(self, key: Tensor, query: Tensor) -> Tensor:
        """Tell which ``key`` positions are visible from ``query`` positions."""
        return self.visible(key, query)


# every key up to the query
causal = Pattern(lambda key, query: key <= query, lambda query: 0)


def sliding(window: int) -> Pattern:
    """The last ``window`` keys up to the query."""
    return Pattern(
        lambda key, query: (key <= query) & (key > query - window),
        lambda query: max(0, query - window + 1),
    )


def chunked(size: int) -> Pattern:
    """Keys of the query's own chunk of ``size`` positions."""
    return Pattern(
        lambda key, query: (key <= query) & (key // size == query // size),
        lambda query: query // size * size,
    )


@dataclass(frozen=True)
class MaskPlan:
    """Which masks a model wants: one pattern, or one for each layer type.

    ``additive`` masks are 0 where visible and the lowest number elsewhere, as
    eager attention adds them; the others are boolean.
    """

    patterns: dict[str, Pattern]
    single: bool
    additive: bool

    def named(self, masks: Sequence[Tensor]) -> Tensor | dict[str, Tensor]:
        """Return masks, one for each pattern, as the model takes them."""
        return masks[0] if self.single else dict(zip(self.patterns, masks, strict=True))

    def form(self, visible: Tensor, dtype: torch.dtype) -> Tensor:
        """Return a boolean mask in the form that the model wants."""
        if not self.additive:
            return visible
        lowest = torch.finfo(dtype).min
        return torch.zeros_like(visible, dtype=dtype).masked_fill(~visible, lowest)


def mask_plans(config: Any) -> list[MaskPlan]:
    """Return the plans worth trying for a text configuration, likeliest first.

    Which of them is right, if any, is for the probe to find.
    """
    additive = getattr(config, "_attn_implementation", None) != "sdpa"
    plans = []
    types = getattr(config, "layer_types", None)
    if types:
        patterns = {name: _pattern(name, config) for name in sorted(set(types))}
        if all(patterns.values()):
            known = {name: p for name, p in patterns.items() if p is not None}
            plans.append(MaskPlan(known, False, additive))
    window = getattr(config, "sliding_window", None)
    chunk = getattr(config, "attention_chunk_size", None)
    if window is not None:
        plans.append(MaskPlan({"sliding": sliding(window)}, True, additive))
    elif chunk is not None:
        plans.append(MaskPlan({"chunked": chunked(chunk)}, True, additive))
    plans.append(MaskPlan({"full": causal}, True, additive))
    return plans


def unknown_layer_types(config: Any) -> list[str]:
    """Return the layer types for which there is no pattern here."""
    types = sorted(set(getattr(config, "layer_types", None) or ()))
    return [name for name in types if _pattern(name, config) is None]


def _pattern(layer_type: str, config: Any) -> Pattern | None:
    if layer_type == "full_attention":
        return causal
    if layer_type == "sliding_attention" and config.sliding_window is not None:
        return sliding(config.sliding_window)
    if layer_type == "chunked_attention":
        return chunked(config.attention_chunk_size)
    return None
