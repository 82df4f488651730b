"""The default runner: many sequences in one cache, each with its own length.

Rows of one call stand at different positions, so positions and masks are explicit.
Tokens are right-aligned in a call: the wanted logits are then the last columns of
every row, whatever its length; the padding before them writes its keys behind the
row's end, where no query looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .calling import ModelCall, vocab_width
from .grouping import chunks, grouped
from .masks import MaskPlan
from .parameters import active_parameters
from .places import Places
from .runner import CausalRunner, Feed
from .slot_cache import SlotCache, Window

_WORTH_COPYING = 16  # tokens; a shorter prefix is read again


class SlotRunner(CausalRunner):
    """One causal LM with a slot cache.

    :param model: a transformers causal LM that takes position ids and 4D masks.
    :param slots: sequences held at once.
    :param plan: the masks its layers want.
    :param autocast: type of mixed precision, None for none.
    """

    kind = "slots"
    reason = ""

    def __init__(
        self,
        model: Any,
        slots: int,
        plan: MaskPlan,
        autocast: torch.dtype | None = None,
    ) -> None:
        self._call = ModelCall(model, autocast)
        self._plan = plan
        self._places = Places(slots)
        self._cache = SlotCache(slots)
        self._dtype = autocast or model.dtype
        self.vocab_size = vocab_width(model)
        self.device = model.device
        self.parameters = active_parameters(model)
        self.forwards = 0

    @property
    def bytes_per_token(self) -> int:
        """Bytes of cache that one token of one sequence takes (after a forward)."""
        return self._cache.bytes_per_token()

    @torch.inference_mode()
    def acquire(self, tokens: Sequence[int]) -> tuple[int, int]:
        """Take the free slot with the longest common prefix, or copy a longer one."""
        choice = self._places.choose(tokens)
        slot, kept = choice.slot, choice.kept
        self._places.cut(slot, kept)
        if choice.donor is not None and choice.shared - kept >= _WORTH_COPYING:
            self._cache.copy(choice.donor, slot, kept, choice.shared)
            self._places.append(slot, tokens[kept : choice.shared])
            kept = choice.shared
        return slot, kept

    def release(self, slot: int) -> None:
        """Free a slot; its keys stay for a later sequence that begins alike."""
        self._places.release(slot)

    def rollback(self, slot: int, length: int) -> None:
        """Forget what ``slot`` holds beyond ``length`` tokens; costs nothing."""
        self._places.cut(slot, length)

    def length(self, slot: int) -> int:
        """Return how many tokens ``slot`` holds."""
        return len(self._places.held[slot])

    def forward(self, feeds: Sequence[Feed]) -> Tensor:
        """Append tokens and read them; see :class:`CausalRunner`."""
        self._call.want_hidden = self.want_hidden
        logits: dict[int, Tensor] = {}
        hidden: dict[int, Tensor] = {}
        last: list[Feed] = []
        for feed in feeds:
            *first, rest = chunks(feed)
            for part in first:
                self._read([part])
            last.append(rest)
        for group in grouped([len(feed.tokens) for feed in last]):
            rows = self._read([last[i] for i in group])
            for i, (row_logits, row_hidden) in zip(group, rows, strict=True):
                logits[i] = row_logits
                if row_hidden is not None:
                    hidden[i] = row_hidden
        order = range(len(feeds))
        if self.want_hidden:
            self.last_hidden = torch.cat(
                [h for i in order if (h := hidden[i]) is not None]
            )
        return torch.cat([logits[i] for i in order])

    def _read(self, feeds: Sequence[Feed]) -> list[tuple[Tensor, Tensor | None]]:
        """Read one padded call; return each row's wanted logits and hidden states."""
        width = max(len(feed.tokens) for feed in feeds)
        wanted = max(feed.wanted for feed in feeds)
        ids, positions, live = self._layout(feeds, width)
        slots = [feed.slot for feed in feeds]
        self._cache.open(
            Window(
                torch.tensor(slots, device=self.device),
                positions,
                live,
                slots == list(range(len(slots))),
            )
        )
        logits, hidden = self._call(
            ids,
            wanted,
            position_ids=positions,
            attention_mask=self._plan.masks(positions, live, self._dtype),
            past_key_values=self._cache,
            use_cache=True,
        )
        self.forwards += 1
        logits = logits.to(self.device)
        for feed in feeds:
            self._places.append(feed.slot, feed.tokens)
        return [
            (
                logits[i, wanted - feed.wanted :],
                None if hidden is None else hidden[i, wanted - feed.wanted :],
            )
            for i, feed in enumerate(feeds)
        ]

    def _layout(self, feeds: Sequence[Feed], width: int) -> tuple[Tensor, Tensor, int]:
        ids, positions = [], []
        live = 0
        for feed in feeds:
            start = self.length(feed.slot)
            end = start + len(feed.tokens)
            padding = width - len(feed.tokens)
            ids.append([0] * padding + list(feed.tokens))
            positions.append([*range(end, end + padding), *range(start, end)])
            live = max(live, end + padding)
        return (
            torch.tensor(ids, device=self.device),
            torch.tensor(positions, device=self.device),
            live,
        )
