"""Lets a model read what a row holds and it has not read yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..models.runner import CausalRunner, Feed
from .row import Row


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
        return self._vocabulary.restrict(self.runner.forward(feeds))

    def keep(self, row: Row, length: int) -> None:
        """Forget what lies beyond ``length`` tokens, and always leave one to read."""
        slot = getattr(row, self._slot)
        if slot is None:
            return
        length = min(length, len(row.ids) - 1)
        if self.runner.length(slot) > length:
            self.runner.rollback(slot, length)

    def leave(self, row: Row) -> None:
        """Free the row's slot; what it holds may serve a later row."""
        slot = getattr(row, self._slot)
        if slot is not None:
            self.runner.release(slot)
            setattr(row, self._slot, None)

    def _feed(self, row: Row, wanted: int) -> Feed:
        sequence = row.sequence()
        slot = self._enter(row, sequence)
        start = self.runner.length(slot)
        tokens = sequence[start:]
        self._count(row, start, len(tokens))
        return Feed(slot, tokens, wanted)

    def _enter(self, row: Row, sequence: Sequence[int]) -> int:
        slot: int | None = getattr(row, self._slot)
        if slot is None:
            # what the row asks logits for must be read, not reused
            known = sequence[: len(row.ids)]
            slot, reused = self.runner.acquire(known)
            setattr(row, self._slot, slot)
            row.tally.reused_prefix_tokens += min(reused, len(row.request.prompt))
        return slot

    def _count(self, row: Row, start: int, count: int) -> None:
        tally = row.tally
        setattr(tally, self._forwards, getattr(tally, self._forwards) + 1)
        setattr(tally, self._processed, getattr(tally, self._processed) + count)
        if self._counts_prefill:
            prompt = len(row.request.prompt)
            tally.llm_prefill_tokens += max(0, min(prompt, start + count) - start)
