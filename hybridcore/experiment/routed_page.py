"""What any strategy's ``route_token`` gives at the gold tokens of a page."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..dispatch import Dispatcher
from ..scoring import ScoreRequest
from ..scoring.page import Page
from ..scoring.routing import Router
from ..scoring.trail import Trail
from ..strategy import Strategy
from .family import Routed


def routing_of(page: Page, requests: Sequence[ScoreRequest], width: int) -> Routed:
    """Return what routes a page's requests, in the order of its members.

    Strategies that are equal are asked once.

    :param width: columns of the logits that strategies see.
    """
    known: list[tuple[Strategy, tuple[Tensor, Tensor] | None]] = []

    def routed(strategy: Strategy) -> tuple[Tensor, Tensor] | None:
        for other, found in known:
            if other == strategy:
                return found
        known.append((strategy, asked_of(strategy)))
        return known[-1][1]

    def asked_of(strategy: Strategy) -> tuple[Tensor, Tensor] | None:
        trails = [_trail(requests[i], rows) for i, rows in page.members()]
        Router(Dispatcher(strategy), width, page.device).settle(trails, page)
        signals = [signal for trail in trails for signal in trail.signals]
        if any(signal is None for signal in signals):
            return None
        asked = [flag for trail in trails for flag in trail.from_llm]
        return torch.tensor(signals), torch.tensor(asked)

    return routed


def _trail(request: ScoreRequest, rows: Sequence[int]) -> Trail:
    own = rows[-len(request.continuation) :]
    return Trail(request.context, request.continuation, own)
