"""A speculative cascade: verify drafts by a mixture of the two models' laws."""

import torch
from torch import Tensor

from hybridcore import (
    Block,
    Positions,
    Route,
    Step,
    Strategy,
    Verdict,
    hookimpl,
    option,
)
from hybridcore.laws import speculative_sample


class SpeculativeCascade(Strategy):
    """Follow p where the LLM is the better choice at its price, and q elsewhere."""

    num_drafts: int = option(4, minimum=1, unit="tokens", help="drafts in a block")
    alpha: float = option(0.2, help="price of the LLM: the higher, the more is q's")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        # ASK behind the last draft, not CHECK at it: q is then known there, too
        return Route((step.pending >= self.num_drafts).to(torch.int8) * Route.ASK)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        keeps = self.keeps(block.q_logits, block.p_logits)
        return speculative_sample(block, torch.where(keeps, block.q, block.p))

    @hookimpl
    def score(self, positions: Positions) -> Tensor:
        keeps = self.keeps(positions.q_logits, positions.p_logits)
        q, p = positions.q_logits, positions.p_logits
        return torch.where(keeps, q.log_softmax(-1), p.log_softmax(-1))

    def keeps(self, q_logits: Tensor, p_logits: Tensor) -> Tensor:
        """Tell at which positions q is good enough: ``[..., 1]`` bool.

        False where the SLM was not read, for there its logits are NaN.
        """
        q, p = q_logits.softmax(-1), p_logits.softmax(-1)
        distance = (p - q).clamp_min(0.0).sum(-1, keepdim=True)
        best_q, best_p = q.amax(-1, keepdim=True), p.amax(-1, keepdim=True)
        return best_q >= best_p - self.alpha * distance
