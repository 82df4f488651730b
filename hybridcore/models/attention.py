"""Attention in pieces, over keys that stay where they are.

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

from .pieces import Piece

NAME = "hybridlm_pieces"
SHORT = 16  # queries of a row up to which rows share a piece, and heads a matrix
# what a model may say to attention; "output_..." is for its other parts
_HARMLESS = frozenset(
    (
        *("dropout", "is_causal", "sliding_window", "position_ids", "cache_position"),
        *("use_cache", "return_dict"),
    )
)
# what the masks stand for that models hand through at the moment
_handed: list[Sequence[Piece]] = []


@contextlib.contextmanager
def attending(
    config: Any, pieces: Sequence[Sequence[Piece]], device: torch.device
) -> Iterator[list[Tensor]]:
    """Let a model attend in pieces; yield what to give it for masks, one for each.

    :param config: of the text model; its attention is swapped for the time being.
    :param pieces: of each of the masks.
    """
    before = config._attn_implementation
    _handed[:] = pieces
    config._attn_implementation = NAME
    try:
        # a number that outlives being moved and cast, and nothing to compute with
        yield [
            torch.full((1, 1, 1, number), torch.nan, device=device)
            for number in range(1, len(pieces) + 1)
        ]
    finally:
        config._attn_implementation = before
        _handed.clear()


def attention_in_pieces(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend from ``query [B, H, T, D]`` to ``key, value [P, h, L, D]``.

    Which keys belong to which query, the pieces say that the mask stands for. Returns
    ``[B, T, H, D]``, as transformers' attention functions do.

    :raises TypeError: the model asks for what is not known here.
    """
    pieces = _pieces(attention_mask)
    extra = _unknown(kwargs)
    if extra or pieces is None:
        raise TypeError(f"attention in pieces knows no {extra or 'such mask'}")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    rows, heads, tokens, _ = query.shape
    result = None
    for piece in pieces:
        part = _attend(query, key, value, piece, scale)
        if part.shape[:2] == (rows, tokens):
            return part, None
        if result is None:
            # queries of no piece are padding, which must be some number
            result = part.new_zeros(rows, tokens, heads, part.shape[-1])
        result[piece.rows, piece.queries] = part
    assert result is not None
    return result, None


def _unknown(given: Mapping[str, Any]) -> list[str]:
    return sorted(
        name
        for name, value in given.items()
        if value is not None
        and name not in _HARMLESS
        and not name.startswith("output_")
    )


def _pieces(mask: Tensor | None) -> Sequence[Piece] | None:
    if mask is None or mask.shape[:-1] != (1, 1, 1) or mask.shape[-1] > len(_handed):
        return None
    return _handed[mask.shape[-1] - 1]


def _attend(
    query: Tensor, key: Tensor, value: Tensor, piece: Piece, scale: float
) -> Tensor:
    """Return ``[rows, queries, H, D]`` of one piece."""
    queries = query[piece.rows, :, piece.queries]
    keys, values = (_chosen(x, piece) for x in (key, value))
    few = queries.shape[2] <= SHORT
    if query.device.type == "cpu" and few and _unfused(queries, values):
        return two_products(queries, keys, values, piece, scale)
    if query.device.type != "cpu" or few:
        return folded(queries, keys, values, piece, scale)
    return functional.scaled_dot_product_attention(
        queries,
        keys,
        values,
        attn_mask=piece.mask.to(queries),
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    ).transpose(1, 2)


def _chosen(tensor: Tensor, piece: Piece) -> Tensor:
    if isinstance(piece.keys, slice):
        return tensor[piece.places, :, piece.keys]
    return tensor[piece.places].index_select(2, piece.keys.to(tensor.device))


def _unfused(query: Tensor, value: Tensor) -> bool:
    """Tell whether torch would go a slower way than two products, copying the keys."""
    return query.shape[-1] != value.shape[-1] and query.dtype == torch.float32


def two_products(
    query: Tensor, key: Tensor, value: Tensor, piece: Piece, scale: float
) -> Tensor:
    """Attend as :func:`folded` does, for values of another width than the keys."""
    rows, heads, tokens, width = query.shape
    together = (query * scale).reshape(rows * key.shape[1], -1, width)
    scores = torch.bmm(together, key.flatten(0, 1).transpose(1, 2))
    scores.view(rows, heads, tokens, -1).add_(piece.mask)
    result = torch.bmm(torch.softmax(scores, -1), value.flatten(0, 1))
    return result.view(rows, heads, tokens, -1).transpose(1, 2)


def folded(
    query: Tensor, key: Tensor, value: Tensor, piece: Piece, scale: float
) -> Tensor:
    """Attend with the queries of all heads that share a key head as one matrix.

    So keys and values are read where they lie, once for some 32 queries of all these
    heads, and a kernel need not know of shared heads. ``query [B, H, T, D]``, ``key,
    value [B, h, L, D]``; returns ``[B, T, H, D]``. Scores are float32 in any type.
    """
    rows, heads, tokens, width = query.shape
    shared = key.shape[1]
    result = functional.scaled_dot_product_attention(
        query.reshape(rows, shared, -1, width),
        key,
        value,
        attn_mask=piece.folded_mask(heads // shared).to(query),
        scale=scale,
    )
    return result.reshape(rows, heads, tokens, -1).transpose(1, 2)


AttentionInterface.register(NAME, attention_in_pieces)
