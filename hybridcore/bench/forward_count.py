"""Counts what goes into a model, padding included, at its embedding layer.

The embedding is what every reading passes, once: also one that leaves the head out, or
runs the head alone afterwards, as packed scoring does.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import torch


class ForwardCount:
    """While it is active, counts calls and positions of each model.

    :param models: by role.

    ``calls`` and ``tokens`` are by role; a token is one position of one row. A call of
    the head alone is none.
    """

    def __init__(self, models: Mapping[str, torch.nn.Module]) -> None:
        self._models = models
        self._handles: list[Any] = []
        self.calls = dict.fromkeys(models, 0)
        self.tokens = dict.fromkeys(models, 0)

    def __enter__(self) -> ForwardCount:
        for role, model in self._models.items():

            def hook(_: Any, args: Any, role: str = role) -> None:
                self.calls[role] += 1
                self.tokens[role] += int(args[0].numel())

            embedding: Any = model.get_input_embeddings()  # type: ignore[operator]
            self._handles.append(embedding.register_forward_pre_hook(hook))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()
