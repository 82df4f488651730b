"""Runs a lossless strategy beside the LLM alone, and looks where they part.

Both decode greedily. Where the texts part first, the LLM reads the common prefix once
more, whole, and the scores of the two next tokens tell how far apart they are. A
margin within what different orders of the same sums give is a tie: no strategy can
be held to it, and the LLM alone changes there with its batch size. Where two ways to
read the prefix are further apart than rounding makes them, one of them is wrong, and
nothing is a tie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..decoding.request import Answer
from ..errors import ArgumentError, StrategyError
from ..harness.hybrid_lm import HybridLM
from ..hybrid import answered
from ..models.runner import Feed
from ..strategy import Strategy

_ROUNDINGS = 2  # of the largest logit, in the type of the model
_SPREADS = 2  # between two ways to compute the same logits
# the largest such spread, in roundings: sums in float32 are rounded at every step,
# those of half precision at their end
_EXPLAINED = {torch.float32: 64, torch.float64: 64}
_EXPLAINED_OF_HALF = 16


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
        spread: between two ways to read the prefix, whole and from the cache: the
            largest difference of a logit; None where the tolerance was given.
        explained: the largest spread that rounding explains; None as that is.
    """

    prompt: int
    position: int
    expected: int | None
    got: int | None
    margin: float | None
    tolerance: float
    spread: float | None = None
    explained: float | None = None

    @property
    def tie(self) -> bool:
        """Whether the two tokens are as good as equal, to reads that can be trusted."""
        if self.margin is None or not self.sound:
            return False
        return abs(self.margin) <= self.tolerance

    @property
    def sound(self) -> bool:
        """Whether the two reads differ by no more than rounding."""
        if self.spread is None or self.explained is None:
            return True
        return self.spread <= self.explained


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
    :param tolerance: largest margin of a tie, in nats; measured where left out, and
        then only between reads that differ by no more than rounding.
    :param told: gets each model before it runs, to show its progress.
    :raises StrategyError: the strategy does not claim to be lossless.
    :raises ArgumentError: the tolerance is negative, or no finite number.
    """
    require_tolerance(tolerance)
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


def require_tolerance(tolerance: float | None) -> None:
    """Raise :class:`ArgumentError` for a margin that is none."""
    if tolerance is not None and not 0 <= tolerance < math.inf:
        raise ArgumentError(
            f"tolerance={tolerance!r}: expected a margin in nats, 0 or more\n"
            "leave it out to have it measured"
        )


def _parted(
    lm: HybridLM, prompt: int, one: Answer, other: Answer, tolerance: float | None
) -> Divergence:
    pairs = zip(one.tokens, other.tokens, strict=False)
    shorter = min(len(one.tokens), len(other.tokens))
    position = next((i for i, (a, b) in enumerate(pairs) if a != b), shorter)
    expected, got = (_at(answer.tokens, position) for answer in (one, other))
    prefix = [*one.request.prompt, *one.tokens[:position]]
    vocabulary = lm.pair.vocabulary(False)
    whole = vocabulary.restrict(_read_whole(lm, prefix))
    margin = None
    if expected is not None and got is not None:
        scores = one.request.llm_law.scores(lambda i: prefix, whole)[0]
        margin = float(scores[expected] - scores[got])
    found = partial(Divergence, prompt, position, expected, got, margin)
    if tolerance is not None:
        return found(tolerance)
    pieces = vocabulary.restrict(_read_in_pieces(lm, prefix))
    dtype = lm.mixed_precision_dtype or lm.model.dtype
    return found(*_measured(whole, pieces, dtype))


def _measured(
    whole: Tensor, pieces: Tensor, dtype: torch.dtype
) -> tuple[float, float, float]:
    """Return the tolerance, the spread, and how much of it rounding explains."""
    known = whole.isfinite()
    spread = float((whole - pieces)[known].abs().max())
    rounding = torch.finfo(dtype).eps * float(whole[known].abs().max())
    explained = _EXPLAINED.get(dtype, _EXPLAINED_OF_HALF) * rounding
    return max(_SPREADS * spread, _ROUNDINGS * rounding), spread, explained


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
