"""What a model gets for masks, and the attention that it runs under."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from .attention import attending
from .masks import MaskPlan, Pattern
from .pieces import Piece


class View(Protocol):
    """What the queries of one forward may see."""

    device: torch.device

    def visible(self, pattern: Pattern) -> Tensor:
        """Return ``[B, 1, T, L]`` bool: which keys each query sees."""

    def pieces(self, pattern: Pattern, dtype: torch.dtype) -> Sequence[Piece]:
        """Return the same in pieces, with masks of a type."""


class Masking:
    """One way for a model to see what it may, and nothing else.

    :param model: a transformers causal LM.
    :param plan: the masks its layers want.
    :param in_pieces: attend with :mod:`.attention`, not with the model's own.
    :param autocast: type of mixed precision, None for none.
    """

    def __init__(
        self,
        model: Any,
        plan: MaskPlan,
        in_pieces: bool,
        autocast: torch.dtype | None = None,
    ) -> None:
        self.in_pieces = in_pieces
        self._plan = plan
        self._config = model.config.get_text_config()
        self._dtype = autocast or model.dtype

    @contextlib.contextmanager
    def over(self, view: View) -> Iterator[Tensor | dict[str, Tensor]]:
        """Yield the masks of a view, and have the model attend as they want."""
        patterns = self._plan.patterns.values()
        if self.in_pieces:
            pieces = [view.pieces(pattern, self._dtype) for pattern in patterns]
            with attending(self._config, pieces, view.device) as masks:
                yield self._plan.named(masks)
        else:
            seen = [view.visible(pattern) for pattern in patterns]
            yield self._plan.named([self._plan.form(v, self._dtype) for v in seen])
