"""Runs a lossless strategy beside the LLM alone, and looks where they part.

Both decode greedily. Where the texts part first, the LLM reads the common prefix once
more, whole, and the scores of the two next tokens tell how far apart they are. A
margin within what different orders of the same sums give is a tie: no strategy can
be held to it, and the LLM alone changes there with its batch size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..decoding.request import Answer
from ..errors import StrategyError
from ..harness.hybrid_lm import HybridLM
from ..hybrid import answered
from ..models.runner import Feed
from ..strategy import Strategy

_ROUNDINGS = 2  # of the largest logit, in the type of the model
_SPREADS = 2  # between two ways to compute the same logits


@dataclass(frozen=True)
class Divergence:
    """The first place at which two answers part.

    Attributes:
        prompt: index of the prompt; ``position`` counts tokens of the answer.
        expected, got: the next token of the LLM alone and of the strategy; None where
            an answer has ended.
        margin: the LLM's score of ``expected`` less that of ``got``, in nats; None
            where one is missing.
        tolerance: the largest margin that is a tie.
    """

    prompt: int
    position: int
    expected: int | None
    got: int | None
    margin: float | None
    tolerance: float

    @property
    def tie(self) -> bool:
        """Whether the two tokens are as good as equal."""
        return self.margin is not None and abs(self.margin) <= self.tolerance


@dataclass(frozen=True)
class Certificate:
    """What the comparison found: prompts, tokens of the LLM alone, divergences."""

    prompts: int
    tokens: int
    divergences: tuple[Divergence, ...]

    @property
    def holds(self) -> bool:
        """Whether the texts part at ties alone."""
        return all(found.tie for found in self.divergences)


def certify(
    lm: HybridLM,
    requests: Sequence[Any],
    tolerance: float | None = None,
    told: Callable[[HybridLM, str], None] = lambda lm, label: None,
) -> Certificate:
    """Compare the strategy of ``lm`` with its LLM alone.

    :param requests: lm_eval's of ``generate_until``; sampling is switched off.
    :param tolerance: largest margin of a tie, in nats; measured where left out.
    :param told: gets each model before it runs, to show its progress.
    :raises StrategyError: the strategy does not claim to be lossless.
    """
    require_lossless(lm.strategy_name, type(lm.strategy))
    alone = lm.with_strategy("llm-only")
    told(alone, "llm-only")
    expected = answered(alone, requests)
    told(lm, lm.strategy_name)
    got = answered(lm, requests)
    found = [
        _parted(alone, i, *pair, tolerance)
        for i, pair in enumerate(zip(expected, got, strict=True))
        if pair[0].tokens != pair[1].tokens
    ]
    tokens = sum(len(answer.tokens) for answer in expected)
    return Certificate(len(requests), tokens, tuple(found))


def require_lossless(name: str, kind: type[Strategy]) -> None:
    """Raise :class:`StrategyError` for a strategy that promises nothing to check."""
    if not kind.lossless:
        raise StrategyError(
            f"strategy {name} does not claim to be lossless: expected one that does\n"
            "hybridlm strategies says which do"
        )


def _parted(
    lm: HybridLM, prompt: int, one: Answer, other: Answer, tolerance: float | None
) -> Divergence:
    pairs = zip(one.tokens, other.tokens, strict=False)
    shorter = min(len(one.tokens), len(other.tokens))
    position = next((i for i, (a, b) in enumerate(pairs) if a != b), shorter)
    expected, got = (_at(answer.tokens, position) for answer in (one, other))
    margin, measured = _margin(lm, one, position, expected, got)
    bound = measured if tolerance is None else tolerance
    return Divergence(prompt, position, expected, got, margin, bound)


def _margin(
    lm: HybridLM, answer: Answer, position: int, expected: int | None, got: int | None
) -> tuple[float | None, float]:
    prefix = [*answer.request.prompt, *answer.tokens[:position]]
    vocabulary = lm.pair.vocabulary(False)
    whole = vocabulary.restrict(_read_whole(lm, prefix))
    pieces = vocabulary.restrict(_read_in_pieces(lm, prefix))
    known = whole.isfinite()
    spread = float((whole - pieces)[known].abs().max())
    rounding = torch.finfo(lm.model.dtype).eps * float(whole[known].abs().max())
    bound = max(_SPREADS * spread, _ROUNDINGS * rounding)
    if expected is None or got is None:
        return None, bound
    scores = answer.request.llm_law.scores(lambda i: prefix, whole)[0]
    return float(scores[expected] - scores[got]), bound


@torch.inference_mode()
def _read_whole(lm: HybridLM, ids: Sequence[int]) -> Tensor:
    """Return ``[1, V]`` float32, by one forward without a cache."""
    given = torch.tensor([list(ids)], device=lm.device)
    logits: Tensor = lm.model(given, use_cache=False).logits[:, -1].float()
    return logits


@torch.inference_mode()
def _read_in_pieces(lm: HybridLM, ids: Sequence[int]) -> Tensor:
    """Return ``[1, V]`` float32, as decoding reads: a prefix first, then one token."""
    runner = lm.pair.runner("llm", 1)
    slot, _ = runner.acquire(list(ids))
    runner.rollback(slot, 0)
    try:
        if len(ids) > 1:
            runner.forward([Feed(slot, list(ids[:-1]), 1)])
        return runner.forward([Feed(slot, [ids[-1]], 1)]).float().clone()
    finally:
        runner.release(slot)


def _at(tokens: Sequence[int], position: int) -> int | None:
    return tokens[position] if position < len(tokens) else None
