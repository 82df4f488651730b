"""A transformers cache whose rows are tokens of a tree, in the order they were read."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

GROWTH = 1024  # rows added at a time


class TreeLayer(CacheLayerMixin):
    """Keys and values of one layer: ``[1, heads, rows, head_dim]``."""

    is_sliding = False
    is_compileable = False
    is_croppable = False

    def __init__(self, cache: TreeCache) -> None:
        super().__init__()
        self._cache = cache

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate room in the shapes the layer turns out to have."""
        self.keys, self.values = _room(key_states, 0), _room(value_states, 0)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write the new rows behind those held; return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        held = self._cache.held
        rows = held + key_states.shape[2]
        if rows > self.keys.shape[2]:
            # both before either is taken: memory may run out for the second
            grown = [_grown(tensor, held, rows) for tensor in (self.keys, self.values)]
            self.keys, self.values = grown
        self.keys[:, :, held:rows] = key_states
        self.values[:, :, held:rows] = value_states
        return self.keys[:, :, :rows], self.values[:, :, :rows]

    def keep(self, rows: Tensor) -> None:
        """Move ``rows`` to the front, in their order."""
        if self.is_initialized:
            for tensor in (self.keys, self.values):
                chosen = tensor.index_select(2, rows.to(tensor.device))
                tensor[:, :, : len(rows)] = chosen

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Rows that the next forward reads, and their offset."""
        return self._cache.held + query_length, 0

    def get_seq_length(self) -> int:
        """Rows held."""
        return self._cache.held

    def get_max_length(self) -> int:
        """No maximum."""
        return -1


class TreeCache(Cache):
    """The layers of one model. ``held`` rows are valid; what lies behind is not."""

    def __init__(self) -> None:
        # a circle would keep the keys until Python's collector comes by
        here: Any = weakref.proxy(self)
        super().__init__(layer_class_to_replicate=lambda: TreeLayer(here))
        self.held = 0

    def keep(self, rows: Tensor) -> None:
        """Forget all but ``rows``, which become the first ones in their order."""
        if not torch.equal(rows, torch.arange(len(rows))):
            for layer in self.layers:
                layer.keep(rows)
        self.held = len(rows)


def _room(like: Tensor, rows: int) -> Tensor:
    return like.new_empty(like.shape[0], like.shape[1], rows, like.shape[3])


def _grown(old: Tensor, held: int, rows: int) -> Tensor:
    new = _room(old, -(-rows // GROWTH) * GROWTH)
    new[:, :, :held] = old[:, :, :held]
    return new
