"""Speculative sampling follows the LLM's law; six planted bugs do not.

Three-token answers of a table-driven pair, chi-square against the exact product of
table rows, at N = 5,000 and p > 1e-4.
"""

from collections import Counter

import pytest
import torch
from hybridlm_strategy_speculative import Speculative
from scipy.stats import chisquare

from hybridcore import Strategy, Verdict, hookimpl, laws
from hybridcore.decoding.step_law import WarpLaw

N = 5000
LAWS = {
    "temperature": WarpLaw(1.0),
    "top-k": WarpLaw(1.0, top_k=4),
    "top-p": WarpLaw(1.0, top_p=0.8),
    "all": WarpLaw(0.7, top_k=6, top_p=0.9),
}


def p_value(pair, strategy, law):
    answers = pair.run(strategy, [[1]] * N, tokens=3, batch=64, law=law)
    seen = Counter(answer.tokens for answer in answers)
    table = law(None, pair.p).double()
    table /= table.sum(-1, keepdim=True)
    exact = torch.einsum("i,ij,jk->ijk", table[1], table, table).flatten() * N
    observed = torch.zeros(pair.size**3, dtype=torch.double)
    for (i, j, k), count in seen.items():
        observed[(i * pair.size + j) * pair.size + k] = count
    if observed[exact == 0].any():
        return 0.0
    common = exact >= 5
    rare = ~common & (exact > 0)
    f_obs, f_exp = observed[common], exact[common]
    if rare.any():
        f_obs = torch.cat([f_obs, observed[rare].sum()[None]])
        f_exp = torch.cat([f_exp, exact[rare].sum()[None]])
    return chisquare(f_obs.numpy(), f_exp.numpy()).pvalue


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("drafts", [1, 2, 4])
def test_speculative_follows_the_llm(pair, law, drafts):
    assert p_value(pair, Speculative(num_drafts=drafts), law) > 1e-4


class Planted(Strategy):
    """Speculative sampling with one line to get wrong."""

    lossless = True

    @hookimpl
    def route_token(self, step):
        return Speculative(num_drafts=2).route_token(step)

    @hookimpl
    def verify(self, block):
        width = block.drafted.shape[1]
        index = block.drafted[..., None]
        p = block.p[:, :width].gather(-1, index)[..., 0]
        q = block.q[:, :width].gather(-1, index)[..., 0]
        accepted = laws.accept_while(self.good(block.uniform, p, q) & block.inside())
        p_next, q_next = laws.at(block.p, accepted), laws.at(block.q, accepted)
        rejected = (accepted < block.length)[:, None]
        bonus = self.bonus(p_next, block)
        return Verdict(
            accepted, torch.where(rejected, self.rest(p_next, q_next), bonus)
        )

    def good(self, uniform, p, q):
        return uniform * q < p

    def rest(self, p, q):
        return laws.residual(p, q)

    def bonus(self, p, block):
        return p


class AlwaysAccept(Planted):
    def good(self, uniform, p, q):
        return torch.ones_like(p).bool()


class InvertedRatio(Planted):
    def good(self, uniform, p, q):
        return uniform * p < q


class ResampleFromTarget(Planted):
    def rest(self, p, q):
        return p


class UnclippedResidual(Planted):
    def rest(self, p, q):
        rest = (p - q).abs()
        mass = rest.sum(-1, keepdim=True)
        return torch.where(mass > 0, rest / mass.clamp_min(1e-38), p)


class BonusFromDraft(Planted):
    def bonus(self, p, block):
        last = laws.at(block.q, (block.length - 1).clamp_min(0))
        return torch.where(block.length[:, None] > 0, last, p)


class FixedThreshold(Planted):
    def good(self, uniform, p, q):
        return p / q > 0.5


def test_the_harness_of_the_planted_bugs_is_right(pair):
    assert p_value(pair, Planted(), LAWS["temperature"]) > 1e-4


@pytest.mark.parametrize(
    "bug",
    [
        AlwaysAccept,
        InvertedRatio,
        ResampleFromTarget,
        UnclippedResidual,
        BonusFromDraft,
        FixedThreshold,
    ],
)
def test_planted_bugs_are_caught(pair, bug):
    assert p_value(pair, bug(), LAWS["temperature"]) < 1e-4
