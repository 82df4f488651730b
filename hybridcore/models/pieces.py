"""Attention cut into pieces: some queries, the keys that they see, and a mask."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

# queries of one row that share a selection of keys: a mask over all of a long read
# costs its square, but what is launched from afar costs more for being launched
PIECE = 128
_PIECE_ELSEWHERE = 1024


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
    _folded: dict[int, Tensor] = field(default_factory=dict, repr=False)

    def folded_mask(self, share: int) -> Tensor:
        """Return the mask for ``share`` heads' queries, one head below the other.

        ``[rows, 1, share * queries, n]``; made once for all layers.
        """
        if share not in self._folded:
            self._folded[share] = self.mask.repeat(1, 1, share, 1)
        return self._folded[share]


def piece_on(device: torch.device) -> int:
    """Return how many queries of one row are a piece on a device."""
    return PIECE if device.type == "cpu" else _PIECE_ELSEWHERE


def additive(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """Return 0 where visible, -inf elsewhere."""
    return torch.zeros_like(visible, dtype=dtype).masked_fill_(~visible, -torch.inf)
