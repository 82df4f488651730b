"""The bound of routing: ask the LLM exactly where it would say something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..exchange import Block, Positions, Route, Step, Verdict
from ..hookspecs import hookimpl
from ..strategy import Strategy

_DRAFTS = 4  # any number gives the same text; this one costs fewer forwards


class Oracle(Strategy):
    """Keep the SLM's token where both argmaxes agree, else take the LLM's.

    Nothing can be saved by it, as the LLM reads everything: it shows with how few
    tokens of the LLM its greedy text can be had.
    """

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """CHECK at the last draft of a block, else KEEP."""
        return Route.check_at(step, _DRAFTS)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        """Accept up to the first position at which the argmaxes differ."""
        differ = block.q[:, :-1].argmax(-1) != block.p[:, :-1].argmax(-1)
        alike = (~differ & block.inside()).long().cumprod(-1).sum(-1)
        law = block.p[torch.arange(len(alike), device=alike.device), alike].clone()
        # a row of zeros emits no token: the whole draft stands, the SLM goes on
        law[(alike == block.length) & (block.length > 0)] = 0
        return Verdict(alike, law)

    @hookimpl
    def score(self, positions: Positions) -> Tensor:
        """Return log p where the argmaxes differ, log q elsewhere."""
        q, p = positions.q_logits, positions.p_logits
        differ = q.argmax(-1) != p.argmax(-1)
        return torch.where(differ[:, None], p.log_softmax(-1), q.log_softmax(-1))


def unjudged(line: Mapping[str, Any]) -> int:
    """Return how many tokens of an answer, a line of a trace, the oracle had no say in.

    The last token that an answer may have is the LLM's, whatever the SLM says there: a
    block leaves it that token. Everywhere else the LLM speaks in place of a draft.
    """
    return sum(
        token["model"] == "llm" and token["accepted"] is None
        for token in line["tokens"]
    )
