"""Adaptive draft length: long blocks where drafts are accepted, else short ones."""

from dataclasses import dataclass

import torch

from hybridcore import (
    Block,
    Outcome,
    Request,
    Route,
    Step,
    Strategy,
    Verdict,
    hookimpl,
    option,
)
from hybridcore.laws import speculative_sample
from hybridcore.signals import entropy


@dataclass
class Window:
    """The state of a row: how many tokens its next block may have."""

    tokens: int


class AdaptiveDrafts(Strategy):
    """Speculative sampling with a draft length that follows each row's own luck."""

    lossless = True

    first: int = option(5, minimum=1, unit="tokens", help="length of the first block")
    gamma: float = option(0.2, minimum=0.0, help="weight of the SLM's entropy")
    least: float = option(0.6, help="acceptance below which a draft is the last one")

    @hookimpl
    def start(self, request: Request) -> Window:
        return Window(self.first)

    @hookimpl
    def route_token(self, step: Step) -> Route:
        windows = [window.tokens for window in step.states]
        full = step.pending + 1 >= torch.tensor(windows, device=step.pending.device)
        expected = 1 - (self.gamma * entropy(step.logits)).sqrt()
        ends = full | (expected < self.least)
        return Route(ends.to(torch.int8) * Route.CHECK, expected)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        return speculative_sample(block)

    @hookimpl
    def observe(self, outcome: Outcome) -> None:
        moves = zip(outcome.states, outcome.drafted, outcome.accepted, strict=True)
        for window, drafted, accepted in moves:
            if drafted:
                change = 2 if accepted == drafted else -1
                window.tokens = max(1, window.tokens + change)
