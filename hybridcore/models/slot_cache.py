"""A transformers cache whose rows are slots, each with a length of its own.

All keys of a slot stay where they are; what a query may see is the mask's business.
So lowering a length takes tokens back, for ragged rows and sliding windows alike.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from ..transfer import send
from .places import run_of
from .slot_view import SlotView
from .step_view import StepView

GROWTH = 256  # positions added at a time
_SPARE = 2  # times the room needed: more is given back
_PATIENCE = 64  # forwards that it is kept for all that: long rows come again


class Window:
    """The rows and positions that one forward reads and writes.

    :param view: what is read; a run of neighbouring slots is a view of the cache, any
        other choice is gathered.
    :param in_place: all slots are given to the model, whose attention chooses.
    """

    def __init__(self, view: SlotView | StepView, in_place: bool) -> None:
        self.live = view.live
        self.width = view.width
        self._in_place = in_place
        self._places = view.places
        self._run = run = run_of(view.slots)
        if run is not None:
            # made on the device, since what is recorded there can take nothing in
            self._slots = torch.arange(run.start, run.stop, device=view.device)
        else:
            self._slots = send(view.slots, view.device)
        self._targets: dict[tuple[Any, ...], Tensor] = {}

    def targets(self, room: Tensor) -> Tensor:
        """Return which ``[B * heads * T]`` vectors of a layer's room are written."""
        _, heads, capacity, _ = room.shape
        # layers may differ in their heads, and lie on several devices
        kind = (heads, capacity, room.device)
        if kind not in self._targets:
            rows = self._slots[:, None] * heads + torch.arange(
                heads, device=self._slots.device
            )
            places = rows[:, :, None] * capacity + self._places[:, None]
            self._targets[kind] = places.flatten().to(room.device)
        return self._targets[kind]

    def live_part(self, room: Tensor) -> Tensor:
        """Return what the model gets of a layer's room."""
        if self._in_place:
            return room
        if self._run is not None:
            return room[self._run, :, : self.live]
        return room[self._slots.to(room.device), :, : self.live]


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
        self.keys, self.values = self._room(key_states), self._room(value_states)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write the new keys at their positions; return the live part of the rows."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self._resize()
        window = self._cache.window
        for room, new in ((self.keys, key_states), (self.values, value_states)):
            vectors = room.view(-1, room.shape[3])
            vectors.index_copy_(0, window.targets(room), new.flatten(0, 2))
        return window.live_part(self.keys), window.live_part(self.values)

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

    def _room(self, like: Tensor) -> Tensor:
        shape = (self._cache.slots, like.shape[1], self._cache.capacity, like.shape[3])
        return like.new_zeros(shape)

    def _resize(self) -> None:
        if self.keys.shape[2] == self._cache.capacity:
            return
        # both before either is taken: memory may run out for the second
        self.keys, self.values = self._resized(self.keys), self._resized(self.values)

    def _resized(self, old: Tensor) -> Tensor:
        new = self._room(old)
        kept = min(old.shape[2], new.shape[2])
        new[:, :, :kept] = old[:, :, :kept]
        return new


class SlotCache(Cache):
    """The layers of one model; ``window`` is what the forward at hand is aimed at."""

    def __init__(self, slots: int) -> None:
        # a circle would keep the keys until Python's collector comes by
        here: Any = weakref.proxy(self)
        super().__init__(layer_class_to_replicate=lambda: SlotLayer(here))
        self.slots = slots
        self.capacity = 0
        self.window: Window
        self._moves = 0
        self._spared = 0  # forwards in a row that had far more room than needed

    @contextlib.contextmanager
    def opened(self, view: SlotView, in_place: bool, longest: int) -> Iterator[None]:
        """Aim a forward at a view and make room for it; forget that if it fails.

        :param in_place: all slots are given to the model, whose attention chooses.
        :param longest: of the sequences that must be kept.
        """
        before = self.capacity
        self.window = Window(view, in_place)
        needed = _blocks(max(view.room, longest))
        if self.too_large(needed) or needed > self.capacity:
            self.capacity = needed
            self._moves += 1
            self._spared = 0
        try:
            yield
        except BaseException:
            self._moves += self.capacity != before
            self.capacity = before
            raise

    def too_large(self, needed: int) -> bool:
        """Count a forward that needs some room; True where the rest is to be freed."""
        spare = _blocks(needed) * _SPARE <= self.capacity
        self._spared = self._spared + 1 if spare else 0
        return self._spared > _PATIENCE

    def aim(self, view: StepView) -> None:
        """Aim a forward at a view that there is room for, all slots in place."""
        self.window = Window(view, True)

    def layout(self) -> int:
        """Return a number that changes whenever keys move."""
        return self._moves

    @torch.inference_mode()
    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` positions of one slot into another."""
        for layer in self.layers:
            layer.copy(source, target, length)

    def tensors(self) -> list[Tensor]:
        """Return keys and values of all layers."""
        return [x for layer in self.layers for x in (layer.keys, layer.values)]

    def bytes_per_token(self) -> int:
        """Bytes that one position of one slot takes in all layers."""
        return sum(x.shape[1] * x.shape[3] * x.element_size() for x in self.tensors())


def _blocks(room: int) -> int:
    """Return a room in whole blocks."""
    return -(-room // GROWTH) * GROWTH
