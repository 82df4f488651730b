"""Attention over a tree, a piece of the queries at a time.

Registered with transformers under :data:`NAME`; models call it in place of their own
while :func:`attending` is active. It knows plain scaled dot products alone: a model
that asks for more (soft caps, sinks, biases) gets an error, and keeps its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface

from .tree_view import Piece

NAME = "hybridlm_tree"
_HARMLESS = frozenset(
    ("dropout", "scaling", "is_causal", "sliding_window", "position_ids", "use_cache")
)
# id of a mask that a model hands through, and what it stands for
_pieces: dict[int, Sequence[Piece]] = {}


@contextlib.contextmanager
def attending(config: Any, masks: Mapping[int, Sequence[Piece]]) -> Iterator[None]:
    """Let a model attend in pieces.

    :param config: of the text model; its attention is swapped for the time being.
    :param masks: the pieces that each mask stands for, by the mask's ``id``.
    """
    before = config._attn_implementation
    _pieces.update(masks)
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
        for key in masks:
            del _pieces[key]


def tree_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend from ``query [1, H, N, D]`` to ``key, value [1, h, held + N, D]``.

    Returns ``[1, N, H, D]``, as transformers' attention functions do.

    :raises TypeError: the model asks for what is not known here.
    """
    extra = {n for n, v in kwargs.items() if v is not None and n not in _HARMLESS}
    if extra or id(attention_mask) not in _pieces:
        raise TypeError(
            f"attention over a tree knows no {sorted(extra) or 'such mask'}"
        )
    grouped = query.shape[1] != key.shape[1]
    parts = []
    for piece in _pieces[id(attention_mask)]:
        if isinstance(piece.keys, slice):
            keys, values = key[:, :, piece.keys], value[:, :, piece.keys]
        else:
            keys = key.index_select(2, piece.keys)
            values = value.index_select(2, piece.keys)
        part = functional.scaled_dot_product_attention(
            query[:, :, piece.queries],
            keys,
            values,
            attn_mask=piece.mask.to(query.dtype),
            scale=scaling,
            enable_gqa=grouped,
        )
        parts.append(part.transpose(1, 2))
    return torch.cat(parts, dim=1), None


AttentionInterface.register(NAME, tree_attention)
