"""A transformers cache whose rows are slots, each with a length of its own.

All keys of a slot stay where they are; what a query may see is the mask's business.
So lowering a length takes tokens back, for ragged rows and sliding windows alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

GROWTH = 256  # positions added at a time


@dataclass(slots=True)
class Window:
    """The rows and positions that one forward reads and writes.

    Attributes:
        slots: ``[B]`` the slot of each row.
        positions: ``[B, T]`` where the new keys go.
        live: keys up to here are read.
        contiguous: the slots are 0, 1, ..., B-1, so nothing need be gathered.
    """

    slots: Tensor
    positions: Tensor
    live: int
    contiguous: bool


class SlotLayer(CacheLayerMixin):
    """Keys and values of one layer: ``[slots, heads, capacity, head_dim]``."""

    is_sliding = False
    is_compileable = False
    is_croppable = False

    def __init__(self, cache: SlotCache) -> None:
        super().__init__()
        self._cache = cache

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate room for every slot, in the shapes the layer turns out to have."""
        self.keys = self._room(key_states, self._cache.capacity)
        self.values = self._room(value_states, self._cache.capacity)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write the new keys at their positions; return the live part of the rows."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self._grow()
        window = self._cache.window
        rows = window.slots[:, None]
        self.keys[rows, :, window.positions] = key_states.transpose(1, 2)
        self.values[rows, :, window.positions] = value_states.transpose(1, 2)
        return self._live(self.keys), self._live(self.values)

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        """Copy positions ``start`` to ``end`` of one slot into another."""
        for tensor in (self.keys, self.values):
            tensor[target, :, start:end] = tensor[source, :, start:end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys that the next forward reads, and their offset."""
        return self._cache.window.live, 0

    def get_seq_length(self) -> int:
        """Longest sequence of the rows at hand, before the tokens being read."""
        window = self._cache.window
        return window.live - window.positions.shape[1]

    def get_max_length(self) -> int:
        """No maximum: capacity grows."""
        return -1

    def _live(self, tensor: Tensor) -> Tensor:
        window = self._cache.window
        if window.contiguous:
            return tensor[: len(window.slots), :, : window.live]
        return tensor[window.slots, :, : window.live]

    def _room(self, like: Tensor, capacity: int) -> Tensor:
        shape = (self._cache.slots, like.shape[1], capacity, like.shape[3])
        return like.new_zeros(shape)

    def _grow(self) -> None:
        held = self.keys.shape[2]
        if held >= self._cache.capacity:
            return
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = self._room(old, self._cache.capacity)
            new[:, :, :held] = old
            setattr(self, name, new)


class SlotCache(Cache):
    """The layers of one model; ``window`` is set before each forward."""

    def __init__(self, slots: int) -> None:
        super().__init__(layer_class_to_replicate=lambda: SlotLayer(self))
        self.slots = slots
        self.capacity = 0
        self.window: Window

    def open(self, window: Window) -> None:
        """Aim the next forward at ``window`` and make room for it."""
        self.window = window
        if window.live > self.capacity:
            self.capacity = -(-window.live // GROWTH) * GROWTH

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        """Copy positions ``start`` to ``end`` of one slot into another."""
        for layer in self.layers:
            layer.copy(source, target, start, end)

    def bytes_per_token(self) -> int:
        """Bytes that one position of one slot takes in all layers."""
        return sum(
            tensor.shape[1] * tensor.shape[3] * tensor.element_size()
            for layer in self.layers
            for tensor in (layer.keys, layer.values)
        )
