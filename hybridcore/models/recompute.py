"""The runner without a cache: every sequence is read from its first token.

Slow, and right for every causal LM: each row is a call of its own, so there is no
padding, no mask and no position that could be wrong. It is what the others are
compared with, and what serves a model that they cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .calling import ModelCall, vocab_width
from .long_rope import split_at_switch, switch_length
from .parameters import active_parameters
from .placement import execution_device
from .places import Places
from .runner import CausalRunner, Feed


class RecomputeRunner(CausalRunner):
    """Reads the whole sequence of a slot at every forward."""

    kind = "recompute"

    def __init__(
        self,
        model: Any,
        slots: int,
        autocast: torch.dtype | None = None,
        reason: str = "",
    ) -> None:
        self._call = ModelCall(model, autocast)
        self.autocast = autocast
        self._places = Places(slots)
        self._switch = switch_length(model.config.get_text_config())
        self.reason = reason
        self.vocab_size = vocab_width(model)
        self.device = execution_device(model)
        self.parameters = active_parameters(model)
        self.forwards = 0

    def acquire(self, tokens: Sequence[int]) -> tuple[int, int]:
        """Take a free slot; nothing is ever reused."""
        slot = self._places.choose(tokens).slot
        self._places.cut(slot, 0)
        return slot, 0

    def release(self, slot: int) -> None:
        """Free a slot."""
        self._places.release(slot)

    def forward(self, feeds: Sequence[Feed]) -> Tensor:
        """Append tokens and read each sequence anew; see :class:`CausalRunner`."""
        self._places.check(feeds)
        self._call.want_hidden = self.want_hidden
        results, self.last_read = [], []
        for feed in feeds:
            count = 0
            for part in split_at_switch(feed, self.length(feed.slot), self._switch):
                results.append(self._read(part))
                count += self.length(feed.slot)
            self.last_read.append(count)
        if self.want_hidden:
            self.last_hidden = torch.cat([h for _, h in results if h is not None])
        return torch.cat([logits for logits, _ in results])

    def rollback(self, slot: int, length: int) -> None:
        """Forget what ``slot`` holds beyond ``length`` tokens."""
        self._places.cut(slot, length)

    def length(self, slot: int) -> int:
        """Return how many tokens ``slot`` holds."""
        return len(self._places.held[slot])

    def _read(self, feed: Feed) -> tuple[Tensor, Tensor | None]:
        self._places.append(feed.slot, feed.tokens)
        ids = torch.tensor([self._places.held[feed.slot]], device=self.device)
        logits, hidden = self._call(ids, feed.wanted, use_cache=False)
        self.forwards += 1
        logits = logits[0].to(self.device)
        return logits, None if hidden is None else hidden[0].to(self.device)
