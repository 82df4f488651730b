"""Reads sequences that begin alike as one tree, every token once.

Rows are the tokens in the order they were read, depth first. The reader holds keys,
values and last hidden states of those that were kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .calling import vocab_width
from .halves import Halves
from .long_rope import switch_length
from .masking import Masking
from .placement import execution_device
from .tree_cache import TreeCache
from .tree_view import Segment, TreeView


class TreeReader:
    """One causal LM, reading a tree.

    :param model: a transformers causal LM that takes position ids and 4D masks.
    :param masking: what it gets for masks.
    :param autocast: type of mixed precision, None for none.

    Attributes:
        longest: the longest sequence it reads rightly, None without limit.
        in_pieces: whether attention is :mod:`.attention`'s.
        vocab_size: width of the logits.
        held: rows held.
    """

    def __init__(
        self,
        model: Any,
        masking: Masking,
        autocast: torch.dtype | None = None,
    ) -> None:
        self._halves = Halves(model)
        self._masking = masking
        self.in_pieces = masking.in_pieces
        self._autocast = autocast
        self._cache = TreeCache()
        self._hidden: Tensor | None = None
        self.device = execution_device(model)
        self.vocab_size = vocab_width(model)
        self.longest = switch_length(model.config.get_text_config())
        self.forwards = 0

    @property
    def held(self) -> int:
        """Rows held."""
        return self._cache.held

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> None:
        """Forget all rows but these, which become the first ones in their order."""
        index = torch.tensor(rows, dtype=torch.long)
        self._cache.keep(index)
        if self._hidden is not None:
            self._hidden = self._hidden[index.to(self._hidden.device)]

    @torch.inference_mode()
    def read(self, path: Sequence[int], segments: Sequence[Segment]) -> None:
        """Read segments depth first; their rows follow those held.

        :param path: rows of the path that the first segment hangs at, by depth.
        """
        view = TreeView(path, self.held, segments, self.device)
        ids = torch.tensor([[t for s in segments for t in s.tokens]])
        with self._masking.over(view) as masks, self._precision():
            hidden = self._halves.read(
                ids.to(self.device),
                position_ids=view.positions,
                attention_mask=masks,
                past_key_values=self._cache,
                use_cache=True,
            )[0]
        self.forwards += 1
        self._cache.held += view.tokens
        kept = self._hidden
        self._hidden = hidden if kept is None else torch.cat([kept, hidden])

    def hidden(self, rows: Tensor) -> Tensor:
        """Return the last hidden states ``[n, D]`` of ``rows [n]``."""
        assert self._hidden is not None
        return self._hidden[rows.to(self._hidden.device)]

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Return raw logits ``[n, V]`` of hidden states, in the model's own type."""
        with self._precision():
            return self._halves.speak(hidden)

    def clear(self) -> None:
        """Forget everything, and let go of the memory."""
        self._cache = TreeCache()
        self._hidden = None

    def _precision(self) -> Any:
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self._autocast)
