"""Attention cut into pieces: some queries, the keys that they see, and a mask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PIECE = 128  # queries of one row that share a selection of keys


@dataclass(frozen=True, slots=True)
class Piece:
    """Queries of some neighbouring rows, and what they see.

    Attributes:
        rows: a run of the queries' rows.
        places: the run of the keys' rows that belong to them.
        queries: a run of the queries of these rows.
        keys: positions ``[n]`` of the keys, or the run they are.
        mask: ``[rows, 1, queries, n]``, 0 where visible, else -inf.
    """

    rows: slice
    places: slice
    queries: slice
    keys: Tensor | slice
    mask: Tensor


def additive(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """Return 0 where visible, -inf elsewhere."""
    return torch.zeros_like(visible, dtype=dtype).masked_fill_(~visible, -torch.inf)
