"""A loaded ``HFLM`` as the scorer sees it."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

import torch
from torch import Tensor

from ..models.calling import vocab_width
from ..models.tree_reader import TreeReader
from ..models.vocabulary import real_size
from ..scoring import ScoringModel


def scoring_model(
    lm: Any, tree: TreeReader | None = None, readers: Counter[str] | None = None
) -> ScoringModel:
    """Wrap an ``HFLM``: its forward, its mixed precision, its window.

    :param tree: reads its model's sequences as a tree, where that is right.
    :param readers: counts the passages that each way of reading reads.
    """
    takes = inspect.signature(lm.model.forward).parameters
    trims = "logits_to_keep" in takes
    return ScoringModel(
        forward=lm._model_call,
        # as decoding has it: columns beyond the tokenizer are no tokens
        vocab_size=min(vocab_width(lm.model), real_size(lm.tokenizer)),
        max_length=lm.own_window,
        device=torch.device(lm.device),
        softmax_dtype=lm.softmax_dtype,
        forward_last=(lambda ids, n: _last(lm, ids, n)) if trims else None,
        forward_hidden=lambda ids: _hidden(lm, ids),
        tree=tree,
        readers=Counter() if readers is None else readers,
    )


def _last(lm: Any, ids: Tensor, count: int) -> Tensor:
    with torch.no_grad(), _precision(lm):
        logits: Tensor = lm.model(ids, logits_to_keep=count, use_cache=False).logits
    return logits


def _hidden(lm: Any, ids: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad(), _precision(lm):
        result = lm.model(ids, output_hidden_states=True, use_cache=False)
    return result.logits, result.hidden_states[-1]


def _precision(lm: Any) -> torch.autocast:
    dtype = lm.mixed_precision_dtype
    return torch.autocast(lm.device.type, dtype=dtype, enabled=dtype is not None)
