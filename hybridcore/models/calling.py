"""Calls a causal LM for the logits of its last positions, whatever it accepts."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .compiled_layers import CompiledLayers


class ModelCall:
    """One model's forward: what it takes, under which autocast it runs.

    :param model: a transformers causal LM (or one that behaves like it).
    :param autocast: type of mixed precision, None for none.

    Attributes:
        want_hidden: return last hidden states as well.
        compiled: layers to run compiled, None for none.
    """

    def __init__(self, model: Any, autocast: torch.dtype | None = None) -> None:
        self.model = model
        self.want_hidden = False
        self.compiled: CompiledLayers | None = None
        self._autocast = autocast
        self._takes = accepted(model)
        self._takes_more = any(
            p.kind is p.VAR_KEYWORD for p in _parameters(bare(model)).values()
        )

    def missing(self, *names: str) -> list[str]:
        """Return which of these arguments the model does not take."""
        return [name for name in names if name not in self._takes]

    @torch.inference_mode()
    def __call__(
        self, ids: Tensor, wanted: int, **kwargs: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits ``[B, wanted, V]`` float32 of the last ``wanted`` columns.

        The second value are their last hidden states ``[B, wanted, D]``, if wanted.
        """
        if "logits_to_keep" in self._takes:
            kwargs["logits_to_keep"] = wanted
        if "use_cache" not in self._takes and not self._takes_more:
            kwargs.pop("use_cache", None)
        if self.want_hidden:
            kwargs["output_hidden_states"] = True
        with self._precision(ids.device), self._layers():
            output = self.model(input_ids=ids, **kwargs)
        # remote code may still answer with a tuple
        logits = output[0] if isinstance(output, tuple) else output.logits
        hidden = output.hidden_states[-1][:, -wanted:] if self.want_hidden else None
        return logits[:, -wanted:].float(), hidden

    def _layers(self) -> Any:
        return self.compiled.running() if self.compiled else contextlib.nullcontext()

    def _precision(self, device: torch.device) -> Any:
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(device.type, dtype=self._autocast)


def accepted(model: Any) -> set[str]:
    """Return the arguments that a model's forward names, seen through wrappers.

    Only names count: what disappears in ``**kwargs`` may be ignored.
    """
    return {*_parameters(model), *_parameters(bare(model))}


def bare(model: Any) -> Any:
    """Return the model inside of PEFT and ``torch.compile``."""
    while True:
        if hasattr(model, "get_base_model"):
            model = model.get_base_model()
        elif isinstance(getattr(model, "_orig_mod", None), torch.nn.Module):
            model = model._orig_mod
        else:
            return model


def _parameters(model: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(model.forward).parameters


def vocab_width(model: Any) -> int:
    """Return the width of a model's logits."""
    head = model.get_output_embeddings()
    if head is not None and hasattr(head, "out_features"):
        return int(head.out_features)
    return int(model.config.get_text_config().vocab_size)
