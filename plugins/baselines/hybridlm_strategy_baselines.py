"""The baselines every curve is read against: SLM alone, LLM alone, random."""

import torch

from hybridcore import Route, Step, Strategy, hookimpl, option, uniform_of

_MEMORY = 8


class SlmOnly(Strategy):
    """The SLM answers alone; the LLM is never run."""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """KEEP everywhere."""
        return Route(torch.zeros_like(step.pending))


class LlmOnly(Strategy):
    """The LLM answers alone; the SLM is never run."""

    lossless = True
    requires = frozenset()

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """ASK everywhere."""
        return Route(torch.full_like(step.pending, Route.ASK))


class Random(Strategy):
    """Ask the LLM at a fraction of the positions, chosen at random.

    The choice is a pure function of the seed, the position and the last eight
    tokens, so it needs no state and does not depend on the batch.
    """

    fraction: float = option(
        0.5, minimum=0.0, maximum=1.0, help="share of positions the LLM decides"
    )
    seed: int = option(0, help="of the choice of positions")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """ASK where a pseudo-random number lies below the fraction."""
        signal = torch.tensor([self._number(step.tokens(i)) for i in range(len(step))])
        verdict = (signal < self.fraction).to(torch.int8) * Route.ASK
        return Route(verdict.to(step.pending.device), signal.to(step.pending.device))

    def _number(self, tokens: "list[int]") -> float:
        return uniform_of(self.seed, len(tokens), *tokens[-_MEMORY:])
