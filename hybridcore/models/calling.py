"""Calls a causal LM for the logits of its last positions, whatever it accepts."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

import torch
from torch import Tensor


class ModelCall:
    """One model's forward: what it takes, under which autocast it runs.

    :param model: a transformers causal LM (or one that behaves like it).
    :param autocast: type of mixed precision, None for none.
    """

    def __init__(self, model: Any, autocast: torch.dtype | None = None) -> None:
        self.model = model
        self.want_hidden = False
        self._autocast = autocast
        names = inspect.signature(model.forward).parameters
        self._keeps = "logits_to_keep" in names
        self.takes_positions = "position_ids" in names

    @torch.inference_mode()
    def __call__(
        self, ids: Tensor, wanted: int, **kwargs: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits ``[B, wanted, V]`` float32 of the last ``wanted`` columns.

        The second value are their last hidden states ``[B, wanted, D]``, if wanted.
        """
        if self._keeps:
            kwargs["logits_to_keep"] = wanted
        if self.want_hidden:
            kwargs["output_hidden_states"] = True
        with self._precision(ids.device):
            output = self.model(input_ids=ids, **kwargs)
        logits = output.logits[:, -wanted:].float()
        hidden = output.hidden_states[-1][:, -wanted:] if self.want_hidden else None
        return logits, hidden

    def _precision(self, device: torch.device) -> Any:
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(device.type, dtype=self._autocast)


def vocab_width(model: Any) -> int:
    """Return the width of a model's logits."""
    head = model.get_output_embeddings()
    if head is not None and hasattr(head, "out_features"):
        return int(head.out_features)
    return int(model.config.get_text_config().vocab_size)
