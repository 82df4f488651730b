"""The forward part: raw logits at the scored positions, batch by batch.

Equal to lm_eval's HFLM: inputs padded on the right with 0, no attention mask,
longest first. Another reader of passages may stand in its place as long as it
yields :class:`Page`\\ s that cover every passage once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from .page import Page
from .passage import Passage
from .request import ScoringModel


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
    flat = logits.flatten(0, 1)
    return Page(
        passages=batch,
        rows=rows,
        fresh=[len(passage.tokens) for passage in batch],
        speak=lambda chosen: flat[chosen],
        width=flat.shape[1],
        device=flat.device,
        hidden=None if states is None else states[:, -span:].flatten(0, 1),
    )
