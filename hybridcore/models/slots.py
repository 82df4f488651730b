"""The default runner: many sequences in one cache, each with its own length.

Rows of one call stand at different positions, so positions and masks are explicit
(``slot_view.py``), and keys stay where they are (``slot_cache.py``).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .calling import vocab_width
from .compiled_layers import CompiledLayers
from .grouping import chunks, grouped
from .long_rope import split_at_switch, switch_length
from .masking import Masking
from .parameters import active_parameters
from .places import Places
from .recorder import Recorder
from .runner import CausalRunner, Feed
from .sharing import Entry, waves
from .slot_reader import Read, SlotReader

_WORTH_COPYING = 16  # tokens; a shorter prefix is read again
# tokens that could be read in the time a call takes for being a call
_CALL_COST = {"cpu": 32}
_CALL_COST_ELSEWHERE = 256


class SlotRunner(CausalRunner):
    """One causal LM with a slot cache.

    :param model: a transformers causal LM that takes position ids and 4D masks.
    :param slots: sequences held at once.
    :param masking: what it gets for masks.
    :param autocast: type of mixed precision, None for none.
    :param bytes_per_token: of cache, in one slot; 0 where nobody knows.
    :param recorder: of short reads of the model; None where nothing is recorded.

    Attributes:
        in_pieces: whether attention is :mod:`.attention`'s.
        slots: sequences held at once.
    """

    kind = "slots"

    def __init__(
        self,
        model: Any,
        slots: int,
        masking: Masking,
        autocast: torch.dtype | None = None,
        bytes_per_token: int = 0,
        recorder: Recorder | None = None,
    ) -> None:
        self.in_pieces = masking.in_pieces
        self.slots = slots
        self._places = Places(slots)
        self._reader = SlotReader(model, self._places, masking, autocast, recorder)
        self._switch = switch_length(model.config.get_text_config())
        self._far = [False] * slots  # whose keys are those of a text beyond the switch
        self.vocab_size = vocab_width(model)
        self.device = self._reader.device
        self.parameters = active_parameters(model)
        self.forwards = 0
        self._bytes_per_token = bytes_per_token
        self._call_cost = _CALL_COST.get(self.device.type, _CALL_COST_ELSEWHERE)

    @property
    def records(self) -> bool:
        """Whether short reads are recorded, as far as they can be."""
        return self._reader.records

    @property
    def recorded(self) -> int:
        """Steps recorded so far."""
        return self._reader.recorded

    @property
    def bytes_per_token(self) -> int:
        """Bytes of cache that one token of one sequence takes."""
        return self._reader.cache.bytes_per_token() or self._bytes_per_token

    @property
    def compiled(self) -> CompiledLayers | None:
        """The model's compiled layers, None where they run as they are."""
        return self._reader.call.compiled

    @compiled.setter
    def compiled(self, layers: CompiledLayers | None) -> None:
        self._reader.call.compiled = layers

    @contextlib.contextmanager
    def unrecorded(self) -> Iterator[None]:
        """Have every read call the model, and forget what was recorded of it."""
        with self._reader.unrecorded():
            yield

    def acquire(self, tokens: Sequence[int]) -> tuple[int, int]:
        """Take the free slot with the longest common prefix, or copy a longer one."""
        choice = self._places.choose(tokens)
        slot, kept = choice.slot, choice.kept
        self._places.cut(slot, kept)
        if choice.donor is not None and choice.shared - kept >= _WORTH_COPYING:
            self._reader.cache.copy(choice.donor, slot, choice.shared)
            self._far[slot] = self._far[choice.donor]
            self._places.append(slot, tokens[kept : choice.shared])
            kept = choice.shared
        return slot, kept

    def release(self, slot: int) -> None:
        """Free a slot; its keys stay for a later sequence that begins alike."""
        self._places.release(slot)

    def rollback(self, slot: int, length: int) -> None:
        """Forget what ``slot`` holds beyond ``length`` tokens; costs nothing."""
        self._places.cut(slot, length)

    def clear(self) -> None:
        """Forget what the slots hold, and let go of the cache, unless one is taken."""
        if self._places.idle:
            self._places.clip(0)
            self._reader.clear()

    def length(self, slot: int) -> int:
        """Return how many tokens ``slot`` holds."""
        return len(self._places.held[slot])

    def forward(self, feeds: Sequence[Feed]) -> Tensor:
        """Append tokens and read them; see :class:`CausalRunner`."""
        self._places.check(feeds)
        self._reader.call.want_hidden = self.want_hidden
        self._reader.tokens.clear()
        reads: list[list[Read]] = [[] for _ in feeds]
        copied = [0] * len(feeds)
        for wave in self._waves(feeds):
            chosen = [self._copied(feeds[entry.feed], entry) for entry in wave]
            for entry, found in zip(wave, self._read_together(chosen), strict=True):
                reads[entry.feed] = found
            for entry, rest in zip(wave, chosen, strict=True):
                copied[entry.feed] = len(feeds[entry.feed].tokens) - len(rest.tokens)
        self.last_copied = copied
        self.last_read = [self._reader.tokens[feed.slot] for feed in feeds]
        flat = [read for parts in reads for read in parts]
        if self.want_hidden:
            self.last_hidden = torch.cat(
                [r.hidden for r in flat if r.hidden is not None]
            )
        return torch.cat([read.logits for read in flat])

    def _waves(self, feeds: Sequence[Feed]) -> list[list[Entry]]:
        # keys of a text beyond the switch are not those of one before it
        worth = max(_WORTH_COPYING, self._call_cost)
        worth = worth if self._switch is None else sys.maxsize
        return waves(feeds, self._places.held, worth)

    def _copied(self, feed: Feed, entry: Entry) -> Feed:
        """Copy what another slot has read for a feed; return what is left of it."""
        if entry.donor is None:
            return feed
        self._reader.cache.copy(entry.donor, feed.slot, entry.shared)
        done = entry.shared - self.length(feed.slot)
        self._places.append(feed.slot, feed.tokens[:done])
        return Feed(feed.slot, feed.tokens[done:], feed.wanted)

    def _read_together(self, feeds: Sequence[Feed]) -> list[list[Read]]:
        """Return the reads of each feed, in as few calls as pays."""
        begun = [self._begun(feed) for feed in feeds]
        reads, last = [first for first, _ in begun], [rest for _, rest in begun]
        for group in self._groups(last):
            found = self._read([last[i] for i in group])
            for i, read in zip(group, found, strict=True):
                reads[i].append(read)
        return reads

    def _begun(self, feed: Feed) -> tuple[list[Read], Feed]:
        """Read what of a feed cannot share a call; return that, and the last part."""
        reads: list[Read] = []
        *near, feed = split_at_switch(feed, self.length(feed.slot), self._switch)
        for part in near:
            first, rest = self._begun(part)
            reads += [*first, *self._read([rest])]
        feed = self._settled(feed)
        far = self._far[feed.slot]
        *first_parts, last = [feed] if far else chunks(feed, self._reader.most)
        for part in first_parts:
            reads += self._read([part])
        return reads, last

    def _read(self, feeds: Sequence[Feed]) -> list[Read]:
        # the first part of a text beyond the switch would be read as one before it
        reads = self._reader.read(feeds, divisible=not self._far[feeds[0].slot])
        self.forwards = self._reader.forwards
        return reads

    def _settled(self, feed: Feed) -> Feed:
        """Return the feed, from the first token on where the keys held do not fit."""
        if self._switch is None:
            return feed
        held = self._places.held[feed.slot]
        far = len(held) + len(feed.tokens) > self._switch
        if far != self._far[feed.slot]:
            feed = Feed(feed.slot, [*held, *feed.tokens], feed.wanted)
            self._places.cut(feed.slot, 0)
            self._far[feed.slot] = far
        return feed

    def _groups(self, feeds: Sequence[Feed]) -> list[list[int]]:
        """Split feeds into calls; each call's rows in the order of their slots."""
        groups = []
        for far in (False, True):
            rows = [i for i, feed in enumerate(feeds) if self._far[feed.slot] == far]
            lengths = [len(feeds[i].tokens) for i in rows]
            for group in grouped(lengths, self._call_cost, self._reader.most):
                chosen = [rows[k] for k in group]
                groups.append(sorted(chosen, key=lambda i: feeds[i].slot))
        return groups
