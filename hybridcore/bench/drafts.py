"""Who drafts in ``hybridlm bench speculate``: a model, a part of one, or a replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from ..errors import ArgumentError
from ..harness.model_names import resolved

_EXPECTED = "expected slm, first-layers:N or replay:RATE"


@dataclass(frozen=True)
class Drafting:
    """What was asked for; one of the two numbers, or neither: the pair's SLM.

    Attributes:
        layers: of the LLM's own first ones, which make the SLM.
        rate: of corruption, of a replay of the LLM's own tokens.
    """

    layers: int | None = None
    rate: float | None = None

    def __str__(self) -> str:
        """Say what drafts, for tables."""
        if self.layers is not None:
            return f"the LLM's own first {self.layers} layers"
        if self.rate is not None:
            return f"a replay of the LLM's tokens, {self.rate:.0%} of them corrupted"
        return "the SLM"


def drafting(text: str) -> Drafting:
    """Read ``slm``, ``first-layers:N`` or ``replay:RATE``.

    :raises ArgumentError: it is none of these, or its number is out of range.
    """
    kind, _, number = text.partition(":")
    try:
        if kind == "first-layers" and int(number) > 0:
            return Drafting(layers=int(number))
        if kind == "replay" and 0.0 <= float(number) <= 1.0:
            return Drafting(rate=float(number))
    except ValueError:
        pass
    if text != "slm":
        raise ArgumentError(
            f"draft={text!r}: {_EXPECTED}\nN is a number of layers, RATE from 0 to 1"
        )
    return Drafting()


def first_layers(llm: str, layers: int, device: str, dtype: str) -> PreTrainedModel:
    """Return the LLM cut behind its first ``layers`` layers, norm and head kept.

    :raises ArgumentError: it does not have more than that.
    """
    name = resolved("llm", llm)
    config: Any = AutoConfig.from_pretrained(name)
    have = config.num_hidden_layers
    if layers >= have:
        raise ArgumentError(
            f"draft='first-layers:{layers}': expected fewer than the {have} layers of "
            f"llm={llm!r}"
        )
    config.num_hidden_layers = layers
    if kinds := getattr(config, "layer_types", None):
        config.layer_types = kinds[:layers]
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        name, config=config, dtype=getattr(torch, dtype)
    )
    return model.to(device).eval()
