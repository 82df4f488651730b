"""Chooses the runner of a model by what it computes, never by its name.

At load time the slot runner reads a few tokens, takes random junk back, leaves rows
out, and must give the logits of the recomputing runner at every turn. Windows that
are longer than the trial are shortened while it runs, in both runners alike, so that
a window is seen to slide. A window that cannot be shortened from outside is met by a
trial that is longer than it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import ModelError
from .calling import ModelCall
from .masking import Masking
from .masks import mask_plans, unknown_layer_types
from .recompute import RecomputeRunner
from .recorder import Recorder
from .runner import CausalRunner
from .slots import SlotRunner
from .trial import causality_error, long_trial, short_trial

_LOG = logging.getLogger(__name__)
_SHORTENED = ("sliding_window", "attention_chunk_size")
_WINDOW = 4  # what these are while the probe runs
_LONGEST_TRIAL = 4096  # tokens
_BEYOND = 40  # tokens of a long trial behind the window it is there for
_NEEDED = ("position_ids", "attention_mask", "past_key_values")
# error allowed, in spreads of the logits, and the share of positions that must keep
# to it: rounding may turn a tie between experts, a wrong mask moves most positions
_ALLOWED = {torch.float32: (2e-3, 1.0), torch.float16: (2e-2, 0.75)}
_ALLOWED_ELSE = (5e-2, 0.75)
_NOISE_FACTOR, _MOST_NOISE = 4.0, 0.1
_NOT_CAUSAL = 0.3


def choose_runner(
    model: Any,
    slots: int,
    autocast: torch.dtype | None = None,
    recorder: Recorder | None = None,
) -> CausalRunner:
    """Return the fastest runner that is right for ``model``.

    Its ``kind`` says which, its ``reason`` why not a faster one (also one warning of
    this module's logger).

    :param model: a transformers causal LM.
    :param slots: sequences to hold at once.
    :param autocast: type of mixed precision, None for none.
    :param recorder: of short reads of the model, used where its attention is ours.
    :raises ModelError: an encoder-decoder model, or one that is not causal.
    """
    noise = _refuse_foreign(model, autocast)
    reasons = []
    for way in ways(model):
        try:
            tried = _tried(model, way, autocast, noise)
        except Mismatch as mismatch:
            # what our attention cannot do says nothing about the model
            reasons += [] if way.in_pieces else [str(mismatch)]
            continue
        masking = way(model, autocast)
        # autocast keeps casts of weights, which a recording would not see renewed
        records = way.in_pieces and autocast is None
        size, used = tried.bytes_per_token, recorder if records else None
        return SlotRunner(model, slots, masking, autocast, size, used)
    _LOG.warning(
        "model %s runs without a cache, which is slow: %s",
        type(model).__name__,
        reasons[0],
    )
    return RecomputeRunner(model, slots, autocast, reason=reasons[0])


class Mismatch(Exception):
    """A way of reading is wrong for a model; says why."""


@dataclass(frozen=True, slots=True)
class Way:
    """One of the ways in which a model may be given its masks.

    Attributes:
        number: of the plan among those of its configuration.
        in_pieces: attention is ours.
    """

    number: int
    in_pieces: bool

    def __call__(self, model: Any, autocast: torch.dtype | None) -> Masking:
        """Return this way for the windows that the configuration now names."""
        plan = mask_plans(_text_config(model))[self.number]
        return Masking(model, plan, self.in_pieces, autocast)


def ways(model: Any) -> list[Way]:
    """Return the ways worth trying, the fastest and likeliest first."""
    numbers = range(len(mask_plans(_text_config(model))))
    return [Way(number, ours) for number in numbers for ours in (True, False)]


def allowed(dtype: torch.dtype) -> tuple[float, float]:
    """Return the error allowed in a type, and the share of positions it bounds."""
    return _ALLOWED.get(dtype, _ALLOWED_ELSE)


def _refuse_foreign(model: Any, autocast: torch.dtype | None) -> float:
    """Raise ModelError where no runner is right; else return the rounding noise."""
    name = type(model).__name__
    if getattr(model.config, "is_encoder_decoder", False):
        raise ModelError(
            f"{name} is an encoder-decoder: expected a causal LM\n"
            "name a decoder-only model"
        )
    try:
        noise = causality_error(RecomputeRunner(model, 1, autocast))
    except Exception as error:
        raise ModelError(
            f"{name} cannot read a few tokens: {_first_line(error)}\n"
            "see the error above; expected a causal LM of transformers"
        ) from error
    if noise > _NOT_CAUSAL:
        raise ModelError(
            f"{name} is not causal: tokens to come change its logits; expected a "
            "causal LM\nname a decoder-only model"
        )
    return noise


def _tried(
    model: Any, way: Way, autocast: torch.dtype | None, noise: float
) -> SlotRunner:
    """Return the slot runner that was right in that way; raise Mismatch."""
    if missing := ModelCall(model).missing(*_NEEDED):
        raise Mismatch(f"its forward takes no {missing[0]}")
    config = _text_config(model)
    length = long_trial_length(config)
    if length > _LONGEST_TRIAL:
        raise Mismatch(f"its configuration has a window of {length - _BEYOND} tokens")
    try:
        with short_windows(config):
            masking = way(model, autocast)
            fast = SlotRunner(model, 3, masking, autocast)
            found = short_trial(fast, RecomputeRunner(model, 3, autocast))
            if length:
                pair = (
                    SlotRunner(model, 2, masking, autocast),
                    RecomputeRunner(model, 2, autocast),
                )
                found = torch.cat([found, long_trial(*pair, length)])
    # whatever a foreign model raises, the recomputing runner may still serve it
    except Exception as error:
        if unknown := unknown_layer_types(config):
            reason = f"its layers of type {unknown[0]!r} cannot take tokens back"
            raise Mismatch(reason) from error
        raise Mismatch(_first_line(error)) from error
    limit, share = allowed(autocast or model.dtype)
    limit = max(limit, min(_NOISE_FACTOR * noise, _MOST_NOISE))
    worst = found.quantile(share).item()
    if not worst <= limit:  # NaN is no match
        raise Mismatch(
            f"logits differ from recomputed ones by {worst:.2g} of their spread"
        )
    return fast


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _text_config(model: Any) -> Any:
    return model.config.get_text_config()


def long_trial_length(config: Any) -> int:
    """Return how long a text must be to meet windows that stay as they are, or 0.

    Such a window is one of a model's own (GPT-Neo's ``window_size``): every number
    whose name smells of one, even if many of them turn out to be something else. No
    text is longer than ``max_position_embeddings``.
    """
    most = getattr(config, "max_position_embeddings", None) or 1 << 30
    sizes = [
        value
        for name, value in config.to_dict().items()
        if ("window" in name or "chunk" in name) and name not in _SHORTENED
        if isinstance(value, int) and 1 < value < most
    ]
    # the second turn of the trial adds a few tokens
    return min(max(sizes) + _BEYOND, most - 8) if sizes else 0


@contextlib.contextmanager
def short_windows(config: Any) -> Iterator[None]:
    """Let windows be of a few tokens for the time being, so that they slide."""
    before = {n: getattr(config, n) for n in _SHORTENED if getattr(config, n, None)}
    try:
        for name, value in before.items():
            setattr(config, name, min(value, _WINDOW))
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)
