"""Chooses the runner of a model by what it computes, never by its name.

At load time the slot runner reads a few tokens, takes random junk back, leaves rows
out, and must give the logits of the recomputing runner at every turn. Windows that
are longer than the probe are shortened while it runs, in both runners alike, so that
a window is seen to slide.
"""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from .calling import ModelCall
from .masks import mask_plans
from .recompute import RecomputeRunner
from .runner import CausalRunner, Feed
from .slots import SlotRunner

_LOG = logging.getLogger(__name__)
_WINDOW = 4  # what a window is while the probe runs
_TOLERANCE = {torch.float32: 2e-3, torch.float16: 3e-2, torch.bfloat16: 1.5e-1}


def choose_runner(
    model: Any, slots: int, autocast: torch.dtype | None = None
) -> CausalRunner:
    """Return the fastest runner that is right for ``model``.

    :param model: a transformers causal LM.
    :param slots: sequences to hold at once.
    :param autocast: type of mixed precision, None for none.
    :raises ModelError: an encoder-decoder model.
    """
    if getattr(model.config, "is_encoder_decoder", False):
        raise ModelError(
            f"{type(model).__name__} is an encoder-decoder: expected a causal LM\n"
            "name a decoder-only model"
        )
    reasons = []
    for plan_number in range(len(mask_plans(_text_config(model)))):
        reason = _mismatch(model, plan_number, autocast)
        if not reason:
            plan = mask_plans(_text_config(model))[plan_number]
            return SlotRunner(model, slots, plan, autocast)
        reasons.append(reason)
    _LOG.warning(
        "model %s runs without a cache, which is slow: %s",
        type(model).__name__,
        reasons[0],
    )
    return RecomputeRunner(model, slots, autocast, reason=reasons[0])


def _mismatch(model: Any, plan_number: int, autocast: torch.dtype | None) -> str:
    """Return why the slot runner with this plan is wrong, "" where it is right."""
    if not ModelCall(model).takes_positions:
        return "its forward takes no position_ids"
    try:
        with _short_windows(_text_config(model)):
            plan = mask_plans(_text_config(model))[plan_number]
            fast = SlotRunner(model, 3, plan, autocast)
            slow = RecomputeRunner(model, 3, autocast)
            worst, scale = _largest_difference(fast, slow)
    # whatever a foreign model raises, the recomputing runner may still serve it
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    dtype = autocast or model.dtype
    allowed = _TOLERANCE.get(dtype, 1.5e-1) * max(1.0, scale)
    if not worst <= allowed:
        return (
            f"logits differ from recomputed ones by {worst:.2g} (allowed {allowed:.2g})"
        )
    return ""


def _largest_difference(fast: SlotRunner, slow: RecomputeRunner) -> tuple[float, float]:
    """Play the same turns on both; return the worst difference and the scale."""
    numbers = random.Random(0)
    vocabulary = min(fast.vocab_size, 1000)

    def some(count: int) -> list[int]:
        return [numbers.randrange(vocabulary) for _ in range(count)]

    prompts = [some(7), some(3), some(11)]
    for prompt in prompts:
        if fast.acquire(prompt)[0] != slow.acquire(prompt)[0]:
            raise RuntimeError("runners took different slots")
    worst = scale = 0.0
    turns = [
        [Feed(i, prompt, 2) for i, prompt in enumerate(prompts)],
        [Feed(0, some(4), 4), Feed(1, some(1), 1), Feed(2, some(2), 2)],
        [Feed(2, some(1), 1), Feed(0, some(3), 2)],
        [Feed(1, some(5), 5)],
        [Feed(0, some(1)), Feed(1, some(1)), Feed(2, some(1))],
    ]
    for turn in turns:
        a, b = fast.forward(turn), slow.forward(turn)
        worst, scale = max(worst, _distance(a, b)), max(scale, b.abs().max().item())
        for feed in turn[:2]:
            length = fast.length(feed.slot) - numbers.randrange(2)
            fast.rollback(feed.slot, length)
            slow.rollback(feed.slot, length)
    return worst, scale


def _distance(a: Tensor, b: Tensor) -> float:
    same_infinities = (a == b) & torch.isinf(a)
    return (a - b).masked_fill(same_infinities, 0.0).abs().max().item()


def _text_config(model: Any) -> Any:
    return model.config.get_text_config()


@contextlib.contextmanager
def _short_windows(config: Any) -> Iterator[None]:
    names = ("sliding_window", "attention_chunk_size")
    before = {n: getattr(config, n) for n in names if getattr(config, n, None)}
    try:
        for name, value in before.items():
            setattr(config, name, min(value, _WINDOW))
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)
