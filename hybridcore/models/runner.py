"""What the engine needs of a causal LM: read tokens, give logits, take back.

A runner owns ``slots`` places. Each holds one sequence that the model has read;
the engine appends tokens, asks for logits at the last of them, and lowers the
length again where a draft was rejected. Nothing here assumes that the model lives
in this process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Feed:
    """Tokens to append to one slot, and at how many of the last to give logits."""

    slot: int
    tokens: Sequence[int]
    wanted: int = 1


class CausalRunner(ABC):
    """One causal LM with its device, its cache and its counters.

    Attributes:
        kind: ``"slots"`` or ``"recompute"``: which implementation this is.
        reason: why not a faster one; empty where this is the fastest.
        vocab_size: width of the logits it returns.
        device: where its logits lie.
        parameters: active parameters per token, the unit of cost.
        forwards: calls of the model so far (a batch is one call).
        last_read: how many tokens the last forward made the model read for each feed,
            padding left out; empty where that was as many as were fed.
        last_copied: how many tokens of each feed another slot had read for it; empty
            for none.
        want_hidden: keep the last hidden states of wanted positions.
        last_hidden: ``[sum of wanted, D]`` of the last forward, if wanted.
    """

    kind: str
    reason: str = ""
    vocab_size: int
    device: torch.device
    parameters: int
    forwards: int
    last_read: Sequence[int] = ()
    last_copied: Sequence[int] = ()
    want_hidden: bool = False
    last_hidden: Tensor | None = None

    @abstractmethod
    def acquire(self, tokens: Sequence[int]) -> tuple[int, int]:
        """Take a free slot for a sequence that will begin with ``tokens``.

        Returns the slot and how many leading tokens it already holds, at most
        ``len(tokens) - 1`` so that there is always one to read.

        :raises RuntimeError: no slot is free.
        """

    @abstractmethod
    def release(self, slot: int) -> None:
        """Free a slot; its contents may serve a later sequence as a prefix."""

    @abstractmethod
    def forward(self, feeds: Sequence[Feed]) -> Tensor:
        """Append tokens to slots and read them in as few model calls as pay.

        Each slot appears at most once and gets at least one token. Returns
        ``[sum of wanted, vocab_size]`` float32 logits: for each feed in order, the
        last ``wanted`` of its positions.
        """

    @abstractmethod
    def rollback(self, slot: int, length: int) -> None:
        """Forget what ``slot`` holds beyond ``length`` tokens."""

    def clear(self) -> None:  # noqa: B027
        """Forget what free slots hold, and let go of its memory.

        While a slot is taken nothing happens; nor where a runner holds nothing.
        """

    @abstractmethod
    def length(self, slot: int) -> int:
        """Return how many tokens ``slot`` holds."""
