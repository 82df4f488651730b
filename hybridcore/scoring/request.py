"""What the scorer is asked, what it answers, and the models it asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import RequestError
from ..tally import Tally

if TYPE_CHECKING:  # transformers is not needed to score by a table
    from ..models.tree_reader import TreeReader


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """One continuation to score behind one context.

    Attributes:
        context: token ids, at least one (lm_eval puts a prefix token where the
            text is empty).
        continuation: token ids, at least one and at most ``max_length``.
        key: whatever the caller wants to find its request by.
    """

    context: Sequence[int]
    continuation: Sequence[int]
    key: Any = None


@dataclass(frozen=True, slots=True)
class Score:
    """The answer to one request.

    Attributes:
        log_likelihood: of the continuation given the context, in nats.
        is_greedy: the continuation is the argmax of the law at every position.
        tally: what was counted for this request.
        from_llm: for each token of the continuation, whether the LLM's law scored
            it; None where the law is the strategy's own (a ``score`` hook).
        signals: for each token, the number ``route_token`` gave there, None where
            it was not called; None as a whole where no signal was given.
    """

    log_likelihood: float
    is_greedy: bool
    tally: Tally
    from_llm: tuple[bool, ...] | None = None
    signals: tuple[float | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class ScoringModel:
    """One causal LM as the scorer sees it.

    Attributes:
        forward: ``[B, T]`` int64 ids, padded with 0 on the right, to ``[B, T, V]``
            raw logits. More positions than T (virtual tokens of a prompt-tuned
            model) stand in front.
        vocab_size: columns of the logits that are tokens both models know.
        max_length: longest input in tokens.
        device: where ``forward`` wants its ids.
        softmax_dtype: type of the log-softmax; None means that of the logits.
        forward_last: ids and n to the ``[B, n, V]`` logits of the last n positions;
            used in place of ``forward`` where given.
        readers: how many passages each way of reading has read: ``"tree"`` and
            ``"batched"``; counted while they are read.
        tree: reads sequences that begin alike as one, where the model can; the
            forwards are then for what it cannot.
        forward_hidden: ids to logits and last hidden states ``[B, T, D]``; needed
            by strategies that require ``"slm_hidden"``.
    """

    forward: Callable[[Tensor], Tensor]
    vocab_size: int
    max_length: int
    device: torch.device
    softmax_dtype: torch.dtype | None = None
    forward_last: Callable[[Tensor, int], Tensor] | None = None
    forward_hidden: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None
    tree: TreeReader | None = None
    readers: Counter[str] = field(default_factory=Counter)


def check_requests(
    requests: Sequence[ScoreRequest], max_length: int, vocab_size: int | None = None
) -> None:
    """Raise :class:`RequestError` for the first request that cannot be scored.

    ``vocab_size`` bounds the ids; None leaves them unchecked.
    """
    for index, request in enumerate(requests):
        size = len(request.continuation)
        if not request.context or not size:
            empty = "continuation" if request.context else "context"
            raise RequestError(
                f"request {index} has an empty {empty}: expected at least one token\n"
                "put the prefix token in front, as lm_eval does"
            )
        if size > max_length:
            raise RequestError(
                f"request {index} has a continuation of {size!r} tokens: expected at "
                f"most {max_length} (max_length)\n"
                "raise max_length where the models allow it, or score shorter texts"
            )
        if vocab_size is None:
            continue
        largest = max(max(request.context), max(request.continuation))
        if largest >= vocab_size:
            raise RequestError(
                f"request {index} has token {largest!r}: expected "
                f"ids below {vocab_size}, the vocabulary both models share\n"
                "use scoring=llm, or a pair with the same vocabulary"
            )
