"""A causal LM that is a table: exact, instant, and with a law one can write down.

The logits of the next token depend on the last token alone, so the law of every
continuation is a product of table rows. Put it where the engine wants a runner to
test a strategy without a network::

    q, p = torch.randn(8, 8), torch.randn(8, 8)
    engine = Engine(
        TableRunner(q, slots=4),
        TableRunner(p, slots=4, parameters=5),
        Dispatcher(strategy),
        SharedVocabulary(8, 8),
        batch_size=4,
    )
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..models.places import Places
from ..models.runner import CausalRunner, Feed


class TableRunner(CausalRunner):
    """Next-token logits from ``logits[last token]``.

    :param logits: ``[V, V]``; row ``i`` are the raw logits behind token ``i``.
    :param slots: sequences held at once, at least the engine's batch size.
    :param parameters: its price; the ratio of a pair decides how long rows that
        wait for the large model sit out.
    :param hidden: ``[V, D]`` last hidden states behind each token, for strategies
        that require ``"slm_hidden"``.

    Attributes:
        forwards: calls so far (a batch is one).
        tokens_read: tokens appended so far, over all slots.
    """

    kind = "table"

    def __init__(
        self,
        logits: Tensor,
        slots: int = 1,
        parameters: int = 1,
        hidden: Tensor | None = None,
    ) -> None:
        if logits.ndim != 2 or logits.shape[0] != logits.shape[1]:
            raise ValueError(f"logits of shape {list(logits.shape)}: expected [V, V]")
        self._logits = logits.float()
        self._hidden = hidden
        self._places = Places(slots)
        self.vocab_size = logits.shape[1]
        self.device = logits.device
        self.parameters = parameters
        self.forwards = 0
        self.tokens_read = 0

    def acquire(self, tokens: Sequence[int]) -> tuple[int, int]:
        """Take a free slot; common prefixes are reused as in a real cache."""
        choice = self._places.choose(tokens)
        self._places.cut(choice.slot, choice.kept)
        return choice.slot, choice.kept

    def release(self, slot: int) -> None:
        """Free a slot."""
        self._places.release(slot)

    def forward(self, feeds: Sequence[Feed]) -> Tensor:
        """Append tokens and look their rows up; see :class:`CausalRunner`."""
        self._places.check(feeds)
        self.forwards += 1
        last: list[int] = []
        for feed in feeds:
            if not all(0 <= token < len(self._logits) for token in feed.tokens):
                raise RuntimeError(f"{feed.tokens!r} are not all ids of the table")
            self._places.append(feed.slot, feed.tokens)
            self.tokens_read += len(feed.tokens)
            last.extend(feed.tokens[len(feed.tokens) - feed.wanted :])
        index = torch.tensor(last, device=self.device)
        if self.want_hidden and self._hidden is not None:
            self.last_hidden = self._hidden[index]
        return self._logits[index].clone()

    def rollback(self, slot: int, length: int) -> None:
        """Forget what ``slot`` holds beyond ``length`` tokens."""
        self._places.cut(slot, length)

    def length(self, slot: int) -> int:
        """Return how many tokens ``slot`` holds."""
        return len(self._places.held[slot])
