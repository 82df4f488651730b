"""Padded calls of a model on a slot cache, smaller ones where memory runs out."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import grouping
from .cached_call import cached_call
from .calling import ModelCall
from .masking import Masking
from .memory import out_of_memory
from .placement import execution_device
from .places import Places
from .recorded_steps import RecordedSteps
from .recorder import Recorder
from .runner import Feed
from .slot_cache import SlotCache
from .slot_view import SlotView

_LOG = logging.getLogger(__name__)
_SMALLEST = 32  # tokens of one row; what does not fit with these will not fit at all


@dataclass(frozen=True, slots=True)
class Read:
    """Logits ``[n, V]`` and hidden states ``[n, D]`` of one row's wanted positions."""

    logits: Tensor
    hidden: Tensor | None


class SlotReader:
    """One causal LM and its slots.

    :param model: a transformers causal LM that takes position ids and 4D masks.
    :param places: what the slots hold.
    :param masking: what the model gets for masks.
    :param autocast: type of mixed precision, None for none.
    :param recorder: of short reads of the model; None where nothing is recorded.

    Attributes:
        forwards: calls of the model so far.
        most: tokens of a call, padding included, that more should not be tried of.
        tokens: tokens read, by slot; for whoever counts to clear.
    """

    def __init__(
        self,
        model: Any,
        places: Places,
        masking: Masking,
        autocast: torch.dtype | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.call = ModelCall(model, autocast)
        self.cache = SlotCache(len(places.held))
        self.device = execution_device(model)
        self.forwards = 0
        self.most = grouping.CALL_TOKENS
        self.tokens: Counter[int] = Counter()
        self._places = places
        self._masking = masking
        self._warned = False
        self._steps: RecordedSteps | None = None
        if recorder is not None:
            self._steps = RecordedSteps(
                self.call, self.cache, masking, places, recorder
            )

    @torch.inference_mode()
    def read(self, feeds: Sequence[Feed], divisible: bool = True) -> list[Read]:
        """Append tokens to slots and read them in one call, or in halves of it.

        :param divisible: rows may be read in parts.
        :raises RuntimeError: memory runs out for the smallest part there is.
        """
        try:
            return self._read(feeds)
        except Exception as error:
            halves = _halves(feeds, divisible)
            if not out_of_memory(error) or not halves:
                raise
        # behind the handler, whose error holds on to what the call had made
        self._forget()  # each recording holds the memory of a step
        self._lower(len(feeds) * max(len(feed.tokens) for feed in feeds))
        first, second = (self.read(half, divisible) for half in halves)
        return [*first, *second] if len(feeds) > 1 else [_joined(*first, *second)]

    @property
    def records(self) -> bool:
        """Whether short reads are recorded, as far as they can be."""
        return self._steps is not None

    @property
    def recorded(self) -> int:
        """Reads recorded so far."""
        return 0 if self._steps is None else self._steps.made

    @contextlib.contextmanager
    def unrecorded(self) -> Iterator[None]:
        """Have every read call the model, and forget what was recorded of it."""
        steps, self._steps = self._steps, None
        try:
            yield
        finally:
            self._steps = steps
            self._forget()

    def clear(self) -> None:
        """Let go of the cache; what it held is for whoever keeps places to forget."""
        self.cache = SlotCache(self.cache.slots)
        if self._steps is not None:
            self._steps.follow(self.cache)

    def _read(self, feeds: Sequence[Feed]) -> list[Read]:
        wanted = max(1, *(feed.wanted for feed in feeds))
        logits, hidden = self._replayed(feeds, wanted), None
        if logits is None:
            logits, hidden = self._called(feeds, wanted)
        self.forwards += 1
        for feed in feeds:
            self._places.append(feed.slot, feed.tokens)
            self.tokens[feed.slot] += len(feed.tokens)
        logits = logits.to(self.device)
        hidden = None if hidden is None else hidden.to(self.device)
        first = [wanted - feed.wanted for feed in feeds]
        return [
            Read(logits[i, a:], None if hidden is None else hidden[i, a:])
            for i, a in enumerate(first)
        ]

    def _replayed(self, feeds: Sequence[Feed], wanted: int) -> Tensor | None:
        if self._steps is None:
            return None
        return self._steps.read(feeds, wanted, self.device)

    def _called(
        self, feeds: Sequence[Feed], wanted: int
    ) -> tuple[Tensor, Tensor | None]:
        starts = [len(self._places.held[feed.slot]) for feed in feeds]
        view = SlotView(feeds, starts, self.device)
        with self.cache.opened(view, self._masking.in_pieces, self._places.longest()):
            self._places.clip(self.cache.capacity)
            return cached_call(self.call, self.cache, self._masking, view, wanted)

    def _forget(self) -> None:
        if self._steps is not None:
            self._steps.forget()

    def _lower(self, size: int) -> None:
        self.most = min(self.most, max(_SMALLEST, size // 2))
        if not self._warned:
            _LOG.warning(
                "out of memory: reading at most %d tokens at a time", self.most
            )
            self._warned = True


def _halves(feeds: Sequence[Feed], divisible: bool) -> list[Sequence[Feed]]:
    """Return two halves of a call, of its rows or of its only one; [] for none."""
    if len(feeds) > 1:
        middle = len(feeds) // 2
        return [feeds[:middle], feeds[middle:]]
    (feed,) = feeds
    if not divisible or len(feed.tokens) <= _SMALLEST:
        return []
    return [[half] for half in grouping.chunks(feed, -(-len(feed.tokens) // 2))]


def _joined(first: Read, second: Read) -> Read:
    hidden = None
    if first.hidden is not None and second.hidden is not None:
        hidden = torch.cat([first.hidden, second.hidden])
    return Read(torch.cat([first.logits, second.logits]), hidden)
