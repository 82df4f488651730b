"""What the hooks get and what they give back.

Notation: B rows, K drafted tokens, V shared vocabulary, q the SLM's next-token
law, p the LLM's. A *law* is a probability vector (float32) after logits
processors, temperature, top-k and top-p; *logits* are raw. All tensors of one
object are on one device. Fields may be added in later versions, never removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt about to be answered; what ``start`` gets.

    ``prompt`` are token ids, ``max_new_tokens`` the budget of the whole answer,
    ``generation_kwargs`` what the request says besides, as it was given.
    """

    prompt: tuple[int, ...]
    max_new_tokens: int
    generation_kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One position of each of B rows at which the SLM is about to move.

    Attributes:
        logits: ``[B, V]`` float32, the SLM's raw logits at temperature 1;
            None where the strategy does not require the SLM.
        law: ``[B, V]`` float32, q: the law a token would be drawn from; or None.
        pending: ``[B]`` int64, tokens the SLM has added since the LLM last moved.
        budget: ``[B]`` int64, tokens that may still join the block here.
        states: what ``start`` returned for each row (None without ``start``).
        hidden: ``[B, D]`` the SLM's last hidden state, only if ``requires``
            names ``"slm_hidden"``.
    """

    logits: Tensor | None
    law: Tensor | None
    pending: Tensor
    budget: Tensor
    states: Sequence[Any]
    hidden: Tensor | None = None
    sequences: Callable[[int], Sequence[int]] = field(default=lambda i: (), repr=False)

    def tokens(self, i: int) -> Sequence[int]:
        """All token ids of row ``i`` so far: prompt, answer, pending drafts."""
        return self.sequences(i)

    def __len__(self) -> int:
        return len(self.pending)


@dataclass(frozen=True, slots=True)
class Route:
    """The answer of ``route_token``: one verdict for each row.

    ``KEEP``: the SLM's token joins the block and drafting goes on. ``CHECK``: it
    joins, then the LLM reads the block. ``ASK``: the SLM's token is not used, the
    LLM reads the block and chooses this token.

    Attributes:
        verdict: ``[B]`` int8 (any integer type is accepted) of the constants.
        signal: ``[B]`` float32 or None, the number the verdict was made from.
    """

    verdict: Tensor
    signal: Tensor | None = None

    KEEP: ClassVar[int] = 0
    CHECK: ClassVar[int] = 1
    ASK: ClassVar[int] = 2

    @classmethod
    def ask_above(cls, signal: Tensor, threshold: float) -> Route:
        """ASK where ``signal > threshold``, else KEEP; ``signal`` is ``[B]``."""
        return cls((signal > threshold).to(torch.int8) * cls.ASK, signal)

    @classmethod
    def check_at(cls, step: Step, k: int) -> Route:
        """CHECK where this token is the ``k``-th drafted of its block, else KEEP."""
        return cls((step.pending + 1 >= k).to(torch.int8) * cls.CHECK)


@dataclass(frozen=True, slots=True)
class Draft:
    """The answer of ``draft``: up to K tokens for each row.

    Attributes:
        tokens: ``[B, K]`` int64; what lies behind a row's length is ignored.
        length: ``[B]`` int64, at most ``step.budget``; 0 leaves the move to the LLM.
        law: ``[B, K, V]`` float32, the laws the tokens were drawn from; None
            means each token was chosen with certainty (a point mass).
    """

    tokens: Tensor
    length: Tensor
    law: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Drafted blocks of B rows that the LLM has read; what ``verify`` gets.

    Attributes:
        drafted: ``[B, K]`` int64, padded with 0 behind ``length``.
        length: ``[B]`` int64, tokens drafted in each row (may be 0).
        q: ``[B, K+1, V]`` the laws of the SLM; position ``length`` is filled
            in rows that asked, zero where the SLM made no law.
        p: ``[B, K+1, V]`` the laws of the LLM, filled up to and with ``length``.
        q_logits, p_logits: the same positions, raw logits, float32. ``q_logits`` is
            NaN at positions where the SLM was not read (those behind the first of
            several tokens drafted in one go), and None where the strategy does not
            require the SLM.
        asked: ``[B]`` bool, True where the row ended its block with ASK.
        uniform: ``[B, K]`` float64 (on MPS float32) in [0, 1), one number for each
            drafted position, from the row's own generator.
        states: what ``start`` returned for each row.
    """

    drafted: Tensor
    length: Tensor
    q: Tensor
    p: Tensor
    q_logits: Tensor | None
    p_logits: Tensor
    asked: Tensor
    uniform: Tensor
    states: Sequence[Any]

    def inside(self) -> Tensor:
        """``[B, K]`` bool: True at positions that hold a drafted token."""
        span = torch.arange(self.drafted.shape[1], device=self.drafted.device)
        return span < self.length[:, None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of ``verify``.

    Attributes:
        accepted: ``[B]`` int64, tokens kept from the front of each draft.
        next_law: ``[B, V]`` float32, the law of the token that follows them. A row
            of zeros emits none, None emits none in any row; ``accepted`` must be
            positive in such rows.
    """

    accepted: Tensor
    next_law: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Positions:
    """N scored positions, each conditioned on the gold text before it.

    Attributes:
        q_logits, p_logits: ``[N, V]`` float32 raw logits of SLM and LLM.
        gold: ``[N]`` int64, the token that stands there.
        row: ``[N]`` int64, the request that the position belongs to.
    """

    q_logits: Tensor
    p_logits: Tensor
    gold: Tensor
    row: Tensor


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step committed; what ``observe`` gets.

    All sequences have one entry for each of the B rows that moved.

    Attributes:
        tokens: the ids committed in this step, in order.
        from_llm: for each of them, whether the LLM chose it.
        drafted: tokens that the LLM verified in this step (0 if it did not). Where
            an accepted token ended the row, those behind it do not count.
        accepted: how many of those it accepted. Summed over a row's outcomes, both
            are ``num_draft_tokens`` and ``num_accepted_draft_tokens`` of its tally.
        states: what ``start`` returned for the row.
    """

    tokens: Sequence[Sequence[int]]
    from_llm: Sequence[Sequence[bool]]
    drafted: Sequence[int]
    accepted: Sequence[int]
    states: Sequence[Any]
