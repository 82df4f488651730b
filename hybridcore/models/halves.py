"""A causal LM in two halves: the decoder, which reads, and the head, which speaks.

The head is whatever the model does behind its decoder (scaling, soft caps, the output
embeddings), so it is run as the model's own forward over a decoder that only repeats
hidden states. Logits can then be made later, and a few positions at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPast, ModelOutput

from .calling import bare


class Halves:
    """The two halves of a transformers causal LM.

    :raises AttributeError: the model has no decoder of its own.
    """

    def __init__(self, model: Any) -> None:
        self._whole = bare(model)
        path = _decoder_path(self._whole)
        self.decoder = self._whole.get_submodule(path)
        parent, _, self._name = path.rpartition(".")
        self._parent = self._whole.get_submodule(parent)
        self._answer: type[ModelOutput] = BaseModelOutputWithPast

    def read(self, ids: Tensor, **kwargs: Any) -> Tensor:
        """Return the last hidden states ``[B, T, D]`` of ``ids [B, T]``."""
        output = self.decoder(input_ids=ids, **kwargs)
        hidden: Tensor = output[0]
        self._answer = type(output)
        return hidden

    def speak(self, hidden: Tensor) -> Tensor:
        """Return the logits ``[n, V]`` of hidden states ``[n, D]``, in their type."""
        ids = torch.zeros(1, len(hidden), dtype=torch.long, device=hidden.device)
        setattr(
            self._parent,
            self._name,
            _Repeat(self._answer(last_hidden_state=hidden[None])),
        )
        try:
            logits: Tensor = self._whole(input_ids=ids, use_cache=False).logits[0]
        finally:
            setattr(self._parent, self._name, self.decoder)
        return logits


class _Repeat(torch.nn.Module):
    """A decoder that gives an answer it was given."""

    def __init__(self, answer: ModelOutput) -> None:
        super().__init__()
        self._answer = answer

    def forward(self, *args: Any, **kwargs: Any) -> ModelOutput:
        return self._answer


def _decoder_path(whole: Any) -> str:
    """Return where in a causal LM its decoder is."""
    for decoder in (whole.get_decoder(), getattr(whole, "model", None)):
        for path, module in whole.named_modules():
            if path and module is decoder:
                return str(path)
    raise AttributeError(f"{type(whole).__name__} has no decoder inside")
