"""A draft that knows the answer: the target's own tokens, a stated part corrupted.

It makes any acceptance rate where no real pair has it. It costs nothing to draft, so
what it shows is the cost of verifying and committing, not that of a small model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from ..decoding.randomness import uniform_of
from ..exchange import Block, Draft, Outcome, Request, Route, Step, Verdict
from ..hookspecs import hookimpl
from ..laws import speculative_sample
from ..options import option
from ..strategy import Strategy

Book = dict[tuple[int, ...], list[int]]


@dataclass
class _Page:
    prompt: int
    tokens: list[int]


class Recorded(Strategy):
    """The LLM alone; ``book`` gets the tokens of every answer by its prompt."""

    lossless = True
    requires = frozenset()

    book: Book = field(default_factory=dict)

    @hookimpl
    def start(self, request: Request) -> list[int]:
        """Open an empty page."""
        page: list[int] = []
        self.book[request.prompt] = page
        return page

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """ASK everywhere."""
        return Route(torch.full_like(step.pending, Route.ASK))

    @hookimpl
    def observe(self, outcome: Outcome) -> None:
        """Write down what was emitted."""
        for page, tokens in zip(outcome.states, outcome.tokens, strict=True):
            page.extend(tokens)


class Replay(Strategy):
    """Draft from ``book``; replace each token with probability ``rate`` by another.

    Which ones depends on position and prompt alone, so every pass drafts the same.
    """

    lossless = True
    requires = frozenset()

    rate: float = option(0.0, minimum=0.0, maximum=1.0, help="share replaced")
    num_drafts: int = option(4, minimum=1, unit="tokens", help="tokens of a draft")
    book: Book = field(default_factory=dict)

    @hookimpl
    def start(self, request: Request) -> _Page:
        """Find the answer, or raise KeyError: it was never recorded."""
        return _Page(len(request.prompt), self.book[request.prompt])

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """CHECK at once: a whole draft is made in one go."""
        return Route(torch.full_like(step.pending, Route.CHECK))

    @hookimpl
    def draft(self, step: Step) -> Draft:
        """Propose the next tokens of the recorded answers."""
        proposed = [self._proposed(step, i) for i in range(len(step))]
        lengths = [len(tokens) for tokens in proposed]
        tokens = torch.zeros(len(step), max(lengths), dtype=torch.long)
        for row, ids in enumerate(proposed):
            tokens[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        device = step.pending.device
        return Draft(tokens.to(device), torch.tensor(lengths, device=device))

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        """Accept by rejection sampling."""
        return speculative_sample(block)

    def _proposed(self, step: Step, row: int) -> list[int]:
        page: Any = step.states[row]
        done = len(step.tokens(row)) - page.prompt
        end = done + min(int(step.budget[row]), self.num_drafts)
        return [
            self._replaced(token, page, place)
            for place, token in enumerate(page.tokens[done:end], done)
        ]

    def _replaced(self, token: int, page: _Page, place: int) -> int:
        if uniform_of(place, page.prompt, *page.tokens[:place][-4:]) >= self.rate:
            return token
        return token - 1 if token else 1
