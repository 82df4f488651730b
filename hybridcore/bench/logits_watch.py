"""Counts the bytes of logits that are alive at once."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LogitsWatch(TorchDispatchMode):
    """While it is active, sees every tensor whose last dimension is a vocabulary.

    Raw logits, their log-softmax and copies all count, each storage once, and so does a
    vocabulary in blocks, ``[blocks, N, V / blocks]``; weights do not.

    :param widths: sizes of the vocabularies.
    :param models: whose parameters are left out.
    """

    def __init__(
        self, widths: Iterable[int], models: Iterable[torch.nn.Module] = ()
    ) -> None:
        super().__init__()
        self.peak = 0
        self._alive = 0
        self._widths = frozenset(widths)
        self._users: Counter[int] = Counter()
        self._weights = {
            _place(weight)
            for model in models
            for weight in model.parameters()
            if weight.layout is torch.strided
        }

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run the operation and look at what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and self._is_logits(leaf):
                self._count(leaf)
        return result

    def _is_logits(self, tensor: Tensor) -> bool:
        return (
            tensor.layout is torch.strided
            and tensor.is_floating_point()
            and tensor.ndim > 0
            and not self._widths.isdisjoint(_widths_of(tensor))
            and tensor.device.type != "meta"
            and _place(tensor) not in self._weights
        )

    def _count(self, tensor: Tensor) -> None:
        place, size = _place(tensor), tensor.untyped_storage().nbytes()
        if not self._users[place]:
            self._alive += size
            self.peak = max(self.peak, self._alive)
        self._users[place] += 1
        weakref.finalize(tensor, self._release, place, size)

    def _release(self, place: int, size: int) -> None:
        self._users[place] -= 1
        if not self._users[place]:
            del self._users[place]
            self._alive -= size


def _widths_of(tensor: Tensor) -> set[int]:
    widths = {tensor.shape[-1]}
    if tensor.ndim == 3:
        widths.add(tensor.shape[0] * tensor.shape[2])
    return widths


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
