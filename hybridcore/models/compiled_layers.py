"""Compiles the decoder layers of a model, for decoding.

``torch.compile`` in its default mode, with shapes left open: rows and tokens of a call
change all the time. CUDA graphs (``reduce-overhead``) are out of the question: they
give every result in the same memory, and drafts point at the logits of earlier steps.
What writes to the slots, and attention in pieces, stays as it is: everything they are
told (layer, places, pieces) changes from call to call. Code is broken off before them
and goes on behind, the same code for all layers that are alike.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.modeling_layers import GradientCheckpointingLayer

from . import attention
from .slot_cache import SlotCache

_SHARED = {
    # or the number of a layer would be taken for a constant, and each layer compiled
    "allow_unspec_int_on_nn_module": True,
    # kinds of layers of two models, for one row or more, for one token or more
    "recompile_limit": 64,
}


class CompiledLayers:
    """The compiled forwards of a model's decoder layers; in force while entered.

    :param model: a transformers model; what has a forward of its own already, such as
        the hooks of accelerate, is left alone.

    Attributes:
        count: layers that are compiled.
    """

    def __init__(self, model: nn.Module) -> None:
        self._forwards: list[tuple[Any, Callable[..., Any]]] = []
        for layer in model.modules():
            if isinstance(layer, GradientCheckpointingLayer) and not _taken(layer):
                compiled = torch.compile(layer.forward, dynamic=True)
                self._forwards.append((layer, compiled))
        self.count = len(self._forwards)
        # one for all calls: torch keeps each patch that was ever made
        self._shared = torch._dynamo.config.patch(_SHARED)
        _leave_as_they_are()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Let the layers run compiled."""
        for layer, forward in self._forwards:
            layer.forward = forward
        try:
            with self._shared:
                yield
        finally:
            for layer, _ in self._forwards:
                del layer.forward


@cache
def _leave_as_they_are() -> None:
    """Have nobody compile what writes to the slots, and attention in pieces."""
    SlotCache.update = torch.compiler.disable(SlotCache.update)
    opaque = torch.compiler.disable(attention.attention_in_pieces)
    AttentionInterface.register(attention.NAME, opaque)


def _taken(layer: nn.Module) -> bool:
    """Say whether a layer or a part of it runs something else than its class says."""
    return any("forward" in vars(part) for part in layer.modules())
