"""A transformers cache whose rows are slots, each with a length of its own.

All keys of a slot stay where they are; what a query may see is the mask's business.
So lowering a length takes tokens back, for ragged rows and sliding windows alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

GROWTH = 256  # positions added at a time


class Window:
    """The rows and positions that one forward reads and writes.

    :param slots: the slot of each row; a run of neighbours is read as a view, any
        other choice is gathered.
    :param places: ``[B, T]`` where the new keys go.
    :param live: keys up to here are read.
    :param room: positions written to lie below it.
    """

    def __init__(
        self, slots: Sequence[int], places: Tensor, live: int, room: int
    ) -> None:
        self.width = places.shape[1]
        self.live = live
        self.room = room
        rows = torch.tensor(slots, device=places.device)
        first = slots[0]
        self.run: slice | None = None
        if list(slots) == list(range(first, first + len(slots))):
            self.run = slice(first, first + len(slots))
        # a model may be spread over devices: each layer's keys lie on its own
        self._on = {places.device: (rows, places)}

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return the slots ``[B]`` and the places ``[B, T]`` on a device."""
        if device not in self._on:
            rows, places = next(iter(self._on.values()))
            self._on[device] = rows.to(device), places.to(device)
        return self._on[device]


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
        slots, places = self._cache.window.on(key_states.device)
        self.keys[slots[:, None], :, places] = key_states.transpose(1, 2)
        self.values[slots[:, None], :, places] = value_states.transpose(1, 2)
        return self._live(self.keys), self._live(self.values)

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` positions of one slot into another."""
        for tensor in (self.keys, self.values):
            tensor[target, :, :length] = tensor[source, :, :length]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys that the next forward reads, and their offset."""
        return self._cache.window.live, 0

    def get_seq_length(self) -> int:
        """Longest sequence of the rows at hand, before the tokens being read."""
        window = self._cache.window
        return window.live - window.width

    def get_max_length(self) -> int:
        """No maximum: capacity grows."""
        return -1

    def _live(self, tensor: Tensor) -> Tensor:
        window = self._cache.window
        if window.run is not None:
            return tensor[window.run, :, : window.live]
        slots, _ = window.on(tensor.device)
        return tensor[slots, :, : window.live]

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
        if window.room > self.capacity:
            self.capacity = -(-window.room // GROWTH) * GROWTH

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` positions of one slot into another."""
        for layer in self.layers:
            layer.copy(source, target, length)

    def bytes_per_token(self) -> int:
        """Bytes that one position of one slot takes in all layers."""
        return sum(
            tensor.shape[1] * tensor.shape[3] * tensor.element_size()
            for layer in self.layers
            for tensor in (layer.keys, layer.values)
        )
