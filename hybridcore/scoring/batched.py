"""The forward part: raw logits at the scored positions, batch by batch.

Equal to lm_eval's HFLM: inputs padded on the right with 0, no attention mask,
longest first. Another reader of passages may stand in its place as long as it
yields :class:`Page`\\ s that cover every passage once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .passage import Passage
from .request import ScoringModel


@dataclass(frozen=True, slots=True)
class Page:
    """What one forward gave.

    Attributes:
        passages: those that it read.
        rows: for each, the rows of ``logits`` at its scored positions, in order.
        logits: ``[R, V]`` raw, in the model's own type.
        hidden: ``[R, D]`` where asked for.
    """

    passages: Sequence[Passage]
    rows: Sequence[Sequence[int]]
    logits: Tensor
    hidden: Tensor | None = None

    def members(self) -> Iterator[tuple[int, Sequence[int]]]:
        """Yield each request's index and its passage's rows; its own are the last."""
        for passage, rows in zip(self.passages, self.rows, strict=True):
            for index in passage.members:
                yield index, rows


def read(
    model: ScoringModel,
    passages: Sequence[Passage],
    batch_size: int,
    hidden: bool = False,
) -> Iterator[Page]:
    """Yield the pages of ``passages``, ``batch_size`` sequences at a time."""
    for start in range(0, len(passages), batch_size):
        yield _page(model, passages[start : start + batch_size], hidden)


@torch.no_grad()
def _page(model: ScoringModel, batch: Sequence[Passage], hidden: bool) -> Page:
    width = max(len(passage.tokens) for passage in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    for row, passage in enumerate(batch):
        ids[row, : len(passage.tokens)] = torch.tensor(passage.tokens)
    states = None
    if hidden and model.forward_hidden is not None:
        logits, states = model.forward_hidden(ids.to(model.device))
    elif model.forward_last is not None:
        first = min(len(passage.tokens) - passage.length for passage in batch)
        logits = model.forward_last(ids.to(model.device), width - first)
    else:
        logits = model.forward(ids.to(model.device))
    # whatever the model cut or put in front, the last column is the last token
    span = logits.shape[1]
    rows = []
    for row, passage in enumerate(batch):
        end = row * span + span - width + len(passage.tokens)
        rows.append(range(end - passage.length, end))
    flat = None if states is None else states[:, -span:].flatten(0, 1)
    return Page(batch, rows, logits.flatten(0, 1), flat)
