"""Verifiers with one thing wrong; most of them are speculative sampling but for it."""

import torch

from hybridcore import Block, Route, Step, Strategy, Verdict, hookimpl, laws, option

from .registry import mutant


class Verifier(Strategy):
    """Speculative sampling, written out; mutants change one method."""

    lossless = True
    num_drafts: int = option(3, minimum=1, help="tokens drafted before a verdict")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, self.num_drafts)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        return self.judge(block, block.q, block.p)

    def judge(self, block, q, p):
        width = block.drafted.shape[1]
        index = block.drafted[..., None]
        p_drafted = p[:, :width].gather(-1, index)[..., 0]
        q_drafted = q[:, :width].gather(-1, index)[..., 0]
        good = self.good(block.uniform, p_drafted, q_drafted)
        accepted = laws.accept_while(good & self.inside(block))
        rejected = (accepted < block.length)[:, None]
        p_next, q_next = laws.at(p, accepted), laws.at(q, accepted)
        bonus = self.bonus(block, p, q, accepted)
        return Verdict(
            accepted, torch.where(rejected, self.rest(p_next, q_next), bonus)
        )

    def good(self, uniform, p, q):
        return uniform * q < p

    def inside(self, block):
        return block.inside()

    def rest(self, p, q):
        return laws.residual(p, q)

    def bonus(self, block, p, q, accepted):
        return laws.at(p, accepted)


@mutant("VERIFY-1")
class CountsFloats(Verifier):
    """counts of type float"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        verdict = super().verify(block)
        return Verdict(verdict.accepted.float(), verdict.next_law)


@mutant("VERIFY-1")
class CountsPadding(Verifier):
    """`<=` for `<`: the zeros behind a draft count as accepted"""

    def good(self, uniform, p, q):
        return uniform * q <= p

    def inside(self, block):
        return torch.ones_like(block.inside())


@mutant("VERIFY-1")
class LogitsForLaws(Verifier):
    """raw logits as the next law"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        verdict = super().verify(block)
        return Verdict(verdict.accepted, laws.at(block.p_logits, verdict.accepted))


@mutant("VERIFY-1")
class FailsOnEmptyBlocks(Verifier):
    """reads the first draft, where a block may have none"""

    def good(self, uniform, p, q):
        assert uniform[0, 0] >= 0
        return super().good(uniform, p, q)


@mutant("VERIFY-2")
class OneTooMany(Verifier):
    """checks one draft later than `num_drafts` says"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, self.num_drafts + 1)


@mutant("VERIFY-2")
class NoTokenOnRejection(Verifier):
    """no next token where nothing is accepted"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        verdict = super().verify(block)
        some = verdict.accepted > 0
        return Verdict(verdict.accepted, verdict.next_law * some[:, None])


@mutant("VERIFY-2")
class NeverANextLaw(Verifier):
    """never a next law: what is rejected is simply drafted again"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        return Verdict(super().verify(block).accepted)


@mutant("VERIFY-3")
class TopTwo(Verifier):
    """accepts the second best token of the LLM, too, when decoding greedily"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        if not block.p.amax(-1).eq(1.0).any():
            return super().verify(block)
        best = block.p_logits.topk(2, dim=-1).indices
        near = (block.drafted[..., None] == best[:, :-1]).any(-1)
        accepted = laws.accept_while(near & block.inside())
        return Verdict(accepted, laws.at(block.p, accepted))


@mutant("VERIFY-4")
class AlwaysAccept(Verifier):
    """accepts every draft"""

    def good(self, uniform, p, q):
        return torch.ones_like(p).bool()


@mutant("VERIFY-4")
class InvertedRatio(Verifier):
    """accepts with probability q / p"""

    def good(self, uniform, p, q):
        return uniform * p < q


@mutant("VERIFY-4")
class ResampleFromTarget(Verifier):
    """draws from p after a rejection, not from what p has more than q"""

    def rest(self, p, q):
        return p


@mutant("VERIFY-4")
class UnclippedResidual(Verifier):
    """abs(p - q) for max(p - q, 0)"""

    def rest(self, p, q):
        rest = (p - q).abs()
        mass = rest.sum(-1, keepdim=True)
        return torch.where(mass > 0, rest / mass.clamp_min(1e-38), p)


@mutant("VERIFY-4")
class BonusFromDraft(Verifier):
    """draws the token behind full acceptance from the SLM's law"""

    def bonus(self, block, p, q, accepted):
        last = laws.at(q, (block.length - 1).clamp_min(0))
        return torch.where(block.length[:, None] > 0, last, p[:, 0])


@mutant("VERIFY-4")
class FixedThreshold(Verifier):
    """accepts where p / q exceeds one half, whatever the random number"""

    def good(self, uniform, p, q):
        return p > 0.5 * q


@mutant("VERIFY-4")
class OffByOne(Verifier):
    """after full acceptance takes the law at the last draft, not behind it"""

    def bonus(self, block, p, q, accepted):
        return laws.at(p, (accepted - 1).clamp_min(0))


@mutant("VERIFY-4")
class OneNumber(Verifier):
    """one random number for all drafts of a block"""

    def good(self, uniform, p, q):
        return uniform[:, :1] * q < p


@mutant("VERIFY-4")
class RawLaws(Verifier):
    """laws from raw logits: temperature and top-k of the LLM are left out"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        return self.judge(block, block.q, block.p_logits.softmax(-1))


@mutant("VERIFY-4")
class ResidualBehindAsk(Verifier):
    """subtracts the SLM's law where it asked, though nothing was rejected there"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        verdict = super().verify(block)
        full = (verdict.accepted == block.length) & block.asked
        p, q = laws.at(block.p, block.length), laws.at(block.q, block.length)
        rest = torch.where(full[:, None], laws.residual(p, q), verdict.next_law)
        return Verdict(verdict.accepted, rest)


@mutant("VERIFY-5")
class HalfHearted(Verifier):
    """accepts half as often as it could, and makes up for it"""

    def good(self, uniform, p, q):
        return 2 * uniform * q < p.minimum(q)

    def rest(self, p, q):
        return laws.residual(p, p.minimum(q) / 2)


@mutant("VERIFY-6")
class Smoothed(Verifier):
    """smooths the ratio, so that what the LLM rules out is accepted now and then"""

    def good(self, uniform, p, q):
        return uniform * (q + 0.02) < p + 0.02


@mutant("VERIFY-7")
class ExpectsTheNextToken(Verifier):
    """looks in `observe` for a token behind the accepted ones, though the text ended"""

    @hookimpl
    def start(self, request):
        return {"replaced": 0}

    @hookimpl
    def observe(self, outcome):
        rows = zip(outcome.states, outcome.tokens, outcome.accepted, strict=True)
        for state, tokens, accepted in rows:
            state["replaced"] = tokens[accepted]


@mutant("VERIFY-8")
class HurriesToTheStop(Verifier):
    """accepts anything where there are stop strings to come to"""

    @hookimpl
    def start(self, request):
        return bool(request.generation_kwargs.get("until"))

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        verdict = super().verify(block)
        hurried = torch.tensor(block.states)
        accepted = torch.where(hurried, block.length, verdict.accepted)
        following = laws.at(block.p, accepted)
        law = torch.where(hurried[:, None], following, verdict.next_law)
        return Verdict(accepted, law)


@mutant("VERIFY-9")
class ShortestOfTheBatch(Verifier):
    """accepts in every row only as many as in the worst"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        verdict = super().verify(block)
        least = verdict.accepted.min().expand_as(verdict.accepted)
        cut = (least < verdict.accepted)[:, None]
        law = torch.where(cut, laws.at(block.p, least), verdict.next_law)
        return Verdict(least.clone(), law)


@mutant("VERIFY-9")
class FullWidth(Verifier):
    """takes a row for fully accepted where it is as long as the longest"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        accepted = super().verify(block).accepted
        p_next, q_next = laws.at(block.p, accepted), laws.at(block.q, accepted)
        rejected = (accepted < block.drafted.shape[1])[:, None]
        blurred = laws.residual(p_next, q_next * 0.5)
        full = (accepted == block.length)[:, None]
        law = torch.where(rejected & full, blurred, p_next)
        rest = torch.where(full, law, laws.residual(p_next, q_next))
        return Verdict(accepted, rest)


@mutant("VERIFY-10")
class ChangesTheBlock(Verifier):
    """subtracts the laws in place"""

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        verdict = super().verify(block)
        block.p.sub_(block.q).clamp_(min=0.0)
        return verdict


@mutant("VERIFY-10")
class OwnNumbers(Verifier):
    """draws numbers of its own in place of the row's"""

    def good(self, uniform, p, q):
        return torch.rand_like(uniform) * q < p


@mutant("VERIFY-9")
class StateOfTheBatch(Verifier):
    """one state for all rows: how many drafts to come is everybody's"""

    @hookimpl
    def start(self, request):
        return _BATCH


_BATCH = [0]
