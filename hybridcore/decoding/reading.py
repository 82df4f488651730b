"""Lets a model read what a row holds and it has not read yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..errors import HookError
from ..models.finite import check_finite
from ..models.runner import CausalRunner, Feed
from .row import Row
from .step_law import PositionLaws


@dataclass(frozen=True, slots=True)
class SharedVocabulary:
    """The ids both models know.

    Attributes:
        size: V, the common width of laws and logits.
        real: ids at and beyond it are padding columns and never emitted.
    """

    size: int
    real: int

    def restrict(self, logits: Tensor) -> Tensor:
        """Cut ``[N, width]`` logits to V and rule the padding columns out."""
        logits = logits[:, : self.size]
        if self.real < self.size:
            logits[:, self.real :] = -torch.inf
        return logits


class Reader:
    """One model of the pair, as the rows see it: slots, reads, roll-back, counts."""

    def __init__(
        self,
        runner: CausalRunner,
        vocabulary: SharedVocabulary,
        role: Literal["slm", "llm"],
    ) -> None:
        self.runner = runner
        self._role = role
        self._vocabulary = vocabulary
        self._slot = f"{role}_slot"
        self._forwards = f"{role}_forwards"
        self._processed = f"{role}_tokens_processed"
        self._counts_prefill = role == "llm"

    def read(self, rows: Sequence[Row], wanted: Sequence[int]) -> Tensor:
        """Read every row up to the end of its block.

        Returns ``[sum(wanted), V]`` logits at the last ``wanted`` positions of
        each row, restricted to the shared vocabulary.
        """
        feeds = [self._feed(row, want) for row, want in zip(rows, wanted, strict=True)]
        logits = self.runner.forward(feeds)
        counts = self.runner.last_read or [len(feed.tokens) for feed in feeds]
        copied = self.runner.last_copied or [0] * len(feeds)
        for row, feed, count, saved in zip(rows, feeds, counts, copied, strict=True):
            self._count(row, feed, count, saved)
        return self._vocabulary.restrict(logits)

    def check(self, best: Sequence[float]) -> None:
        """Raise :class:`ModelError` where the model is broken: NaN or overflow.

        ``best`` are the largest logits of some positions.
        """
        check_finite(self._role, best)

    @contextmanager
    def blamed(self, laws: PositionLaws) -> Iterator[None]:
        """Where a hook fails on logits that are not finite, blame the model."""
        try:
            yield
        except HookError:
            self.check(laws.best.tolist())
            raise

    def unread(self, row: Row) -> int:
        """Return how many tokens the next read of a row will append to its slot.

        Of a row without a slot they may turn out to be fewer: prefixes are shared.
        """
        slot = getattr(row, self._slot)
        held = 0 if slot is None else self.runner.length(slot)
        return len(row.ids) + len(row.drafts) - held

    def keep(self, row: Row) -> None:
        """Forget drafts that were not committed, and always leave one id to read."""
        slot = getattr(row, self._slot)
        if slot is not None and self.runner.length(slot) >= len(row.ids):
            self.runner.rollback(slot, len(row.ids) - 1)

    def leave(self, row: Row) -> None:
        """Free the row's slot; what it holds may serve a later row."""
        slot = getattr(row, self._slot)
        if slot is not None:
            self.runner.release(slot)
            setattr(row, self._slot, None)

    def _feed(self, row: Row, wanted: int) -> Feed:
        slot = self._enter(row)
        start = self.runner.length(slot)
        return Feed(slot, row.tail(start), wanted)

    def _enter(self, row: Row) -> int:
        slot: int | None = getattr(row, self._slot)
        if slot is None:
            # what the row asks logits for must be read, not reused
            slot, reused = self.runner.acquire(row.ids)
            setattr(row, self._slot, slot)
            row.tally.reused_prefix_tokens += min(reused, len(row.request.prompt))
        return slot

    def _count(self, row: Row, feed: Feed, read: int, copied: int) -> None:
        """Count one read, of whose feed ``copied`` tokens were another row's."""
        tally = row.tally
        setattr(tally, self._forwards, getattr(tally, self._forwards) + 1)
        setattr(tally, self._processed, getattr(tally, self._processed) + read)
        end = self.runner.length(feed.slot)
        own = end - len(feed.tokens) + copied
        prompt = len(row.request.prompt)
        tally.reused_prefix_tokens += max(0, min(prompt, own) - (own - copied))
        if self._counts_prefill:
            tally.llm_prefill_tokens += max(0, min(prompt, end) - own)
