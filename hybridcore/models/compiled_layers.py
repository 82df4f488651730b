"""Compiles the decoder layers of a model, but for their attention, for decoding.

``torch.compile`` in its default mode, with shapes left open: rows and tokens of a call
change all the time. CUDA graphs (``reduce-overhead``) are out of the question: they
give every result in the same memory, and drafts point at the logits of earlier steps.
Attention and what belongs to it stays as it is, since it writes to the slots, and
everything it is told (layer, places, pieces) changes from call to call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer


class CompiledLayers:
    """The compiled forwards of a model's decoder layers; in force while entered.

    :param model: a transformers model; what has a forward of its own already, such as
        the hooks of accelerate, is left alone.

    Attributes:
        count: layers that are compiled.
    """

    def __init__(self, model: nn.Module) -> None:
        self._forwards: list[tuple[Any, Callable[..., Any]]] = []
        self.count = 0
        for layer in model.modules():
            attention = [
                part for part in layer.children() if hasattr(part, "layer_idx")
            ]
            taken = any("forward" in vars(part) for part in (layer, *attention))
            if taken or not isinstance(layer, GradientCheckpointingLayer):
                continue
            for part in attention:
                as_it_is = torch.compiler.disable(part.forward)
                self._forwards.append((part, as_it_is))
            compiled = torch.compile(layer.forward, dynamic=True)
            self._forwards.append((layer, compiled))
            self.count += 1

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Let the layers run compiled."""
        for module, forward in self._forwards:
            module.forward = forward
        try:
            yield
        finally:
            for module, _ in self._forwards:
                del module.forward
