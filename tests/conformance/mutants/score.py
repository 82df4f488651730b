"""Ensembles with something wrong in their score."""

import torch

from hybridcore import (
    Block,
    Positions,
    Route,
    Step,
    Strategy,
    Verdict,
    hookimpl,
    laws,
    option,
)

from .registry import mutant


class Mixture(Strategy):
    """Decodes and scores by w q + (1 - w) p; mutants change the score."""

    weight: float = option(0.3, minimum=0.0, maximum=1.0, help="the SLM's share")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """ASK everywhere, so that both laws are known at each token."""
        return Route(torch.full_like(step.pending, Route.ASK))

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        q, p = laws.at(block.q, block.length), laws.at(block.p, block.length)
        made = block.asked[:, None]
        return Verdict(block.length, torch.where(made, self.mixed(q, p), p))

    @hookimpl
    def score(self, positions: Positions) -> torch.Tensor:
        q, p = positions.q_logits.softmax(-1), positions.p_logits.softmax(-1)
        return self.scored(q, p, positions).log()

    def mixed(self, q, p):
        return self.weight * q + (1 - self.weight) * p

    def scored(self, q, p, positions):
        return self.mixed(q, p)


@mutant("SCORE-1")
class Unnormalised(Mixture):
    """the sum of both laws, not their mean"""

    def scored(self, q, p, positions):
        return q + p


@mutant("SCORE-1")
class Probabilities(Mixture):
    """probabilities for log-probabilities"""

    @hookimpl
    def score(self, positions: Positions) -> torch.Tensor:
        return super().score(positions).exp()


@mutant("SCORE-2")
class PeeksAtGold(Mixture):
    """gives the gold token half of the mass"""

    def scored(self, q, p, positions):
        gold = laws.one_hot(positions.gold, p.shape[-1])
        return (self.mixed(q, p) + gold) / 2


@mutant("SCORE-2")
class KnowsTheRequest(Mixture):
    """scores the requests with odd numbers by the SLM alone"""

    def scored(self, q, p, positions):
        odd = (positions.row % 2 == 1)[:, None]
        return torch.where(odd, q, self.mixed(q, p))


@mutant("SCORE-3")
class BatchPrior(Mixture):
    """mixes in the mean law of the batch"""

    def scored(self, q, p, positions):
        return (self.mixed(q, p) + p.mean(0, keepdim=True)) / 2


@mutant("SCORE-4")
class Squeezes(Mixture):
    """squeezes, so that a single position loses its dimension"""

    def scored(self, q, p, positions):
        return self.mixed(q, p).squeeze()


@mutant("SCORE-5")
class FirstTokenFree(Mixture):
    """scores the first position of a call by the SLM alone"""

    def scored(self, q, p, positions):
        first = (torch.arange(len(p)) == 0)[:, None]
        return torch.where(first, q, self.mixed(q, p))


@mutant("SCORE-6")
class ScoresOtherwise(Mixture):
    """decodes by the mixture, and scores by the LLM"""

    def scored(self, q, p, positions):
        return p
