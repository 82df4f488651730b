"""Counts what goes into a model, padding included, by wrapping its forward."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import torch


class ForwardCount:
    """While it is active, counts calls and positions of each model.

    :param models: by role.

    ``calls`` and ``tokens`` are by role; a token is one position of one row.
    """

    def __init__(self, models: Mapping[str, torch.nn.Module]) -> None:
        self._models = models
        self._handles: list[Any] = []
        self.calls = dict.fromkeys(models, 0)
        self.tokens = dict.fromkeys(models, 0)

    def __enter__(self) -> ForwardCount:
        for role, model in self._models.items():

            def hook(_: Any, args: Any, kwargs: Any, role: str = role) -> None:
                self.calls[role] += 1
                self.tokens[role] += _positions(args, kwargs)

            handle = model.register_forward_pre_hook(hook, with_kwargs=True)
            self._handles.append(handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()


def _positions(args: Any, kwargs: Mapping[str, Any]) -> int:
    ids = args[0] if args else kwargs.get("input_ids")
    if ids is None:
        ids = kwargs["inputs_embeds"][..., 0]
    return int(ids.numel())
