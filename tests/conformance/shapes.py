"""Right strategies of every shape, which the suite must let pass."""

from typing import Literal

import torch

from hybridcore import (
    Block,
    Draft,
    Route,
    Step,
    Strategy,
    Verdict,
    hookimpl,
    laws,
    option,
)
from hybridcore.signals import entropy, least_confidence


class AdaptiveDraft(Strategy):
    """Speculative sampling whose draft grows with success and shrinks with failure."""

    lossless = True
    longest: int = option(8, minimum=1, unit="tokens", help="longest draft")

    @hookimpl
    def start(self, request):
        return {"length": 2}

    @hookimpl
    def route_token(self, step: Step) -> Route:
        lengths = torch.tensor([state["length"] for state in step.states])
        return Route((step.pending + 1 >= lengths).long() * Route.CHECK)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        return laws.speculative_sample(block)

    @hookimpl
    def observe(self, outcome):
        rows = zip(outcome.states, outcome.drafted, outcome.accepted, strict=True)
        for state, drafted, accepted in rows:
            if drafted:
                longer = state["length"] + (2 if accepted == drafted else -1)
                state["length"] = min(max(longer, 1), self.longest)


class Bild(Strategy):
    """Asks where the SLM is unsure; the LLM takes back what it finds unlikely."""

    threshold: float = option(0.5, minimum=-1.0, maximum=1.0, help="least confidence")
    floor: float = option(0.05, minimum=0.0, maximum=1.0, help="least p of a draft")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        signal = least_confidence(step.logits)
        verdict = (step.pending + 1 >= 10).long() * Route.CHECK
        return Route(verdict.masked_fill(signal > self.threshold, Route.ASK), signal)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        width = block.drafted.shape[1]
        likely = block.p[:, :width].gather(-1, block.drafted[..., None])[..., 0]
        accepted = laws.accept_while((likely >= self.floor) & block.inside())
        return Verdict(accepted, laws.at(block.p, accepted))


class Cascade(Strategy):
    """Speculative sampling towards a mixture where the SLM is sure, else the LLM."""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, 3)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        sure = block.q.amax(-1, keepdim=True) > 0.6
        return laws.speculative_sample(block, torch.where(sure, block.q, block.p))


class PromptLookup(Strategy):
    """Drafts what followed the last two tokens earlier in the text; needs no SLM."""

    lossless = True
    requires = frozenset()
    width: int = option(4, minimum=1, unit="tokens", help="longest draft")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, 1)

    @hookimpl
    def draft(self, step: Step) -> Draft:
        found = [self._found(list(step.tokens(i))) for i in range(len(step))]
        lengths = [len(ids) for ids in found]
        tokens = [ids + [0] * (self.width - len(ids)) for ids in found]
        length = torch.minimum(torch.tensor(lengths), step.budget)
        return Draft(torch.tensor(tokens), length)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        return laws.speculative_sample(block)

    def _found(self, ids):
        for i in range(len(ids) - 3, -1, -1):
            if ids[i : i + 2] == ids[-2:]:
                return ids[i + 2 : i + 2 + self.width]
        return []


class Head(Strategy):
    """Asks where a linear head on the SLM's hidden state says so."""

    requires = frozenset({"slm", "slm_hidden"})
    weights: str | None = option(None, help="file of the weights; none: a ramp")
    norm: Literal["none", "layer"] = option("none", help="what comes before the head")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        ramp = torch.linspace(-1, 1, step.hidden.shape[-1])
        return Route.ask_above(
            step.hidden.float() @ ramp + 0 * entropy(step.logits), 0.0
        )


class Forced(Strategy):
    """Writes tokens that must follow by itself, and asks nobody."""

    requires = frozenset()

    @hookimpl
    def route_token(self, step: Step) -> Route:
        forced = torch.tensor([step.tokens(i)[-1] == 1 for i in range(len(step))])
        return Route(torch.where(forced, Route.KEEP, Route.ASK))

    @hookimpl
    def draft(self, step: Step) -> Draft:
        return Draft(torch.tensor([[2, 3]] * len(step)), step.budget.clamp_max(2))


class Alternating(Strategy):
    """Leaves every third token to the LLM, and trusts the rest."""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, 2)


class NoBonus(Strategy):
    """Accepts what the LLM likes, and draws no token behind full acceptance."""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, 2)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        verdict = laws.speculative_sample(block)
        full = (verdict.accepted == block.length) & (block.length > 0)
        return Verdict(verdict.accepted, verdict.next_law * ~full[:, None])


class LosslessNoBonus(NoBonus):
    """The same, which is lossless."""

    lossless = True


class BlockVerification(Strategy):
    """Judges whole blocks, not token by token (Sun et al., arXiv 2403.10444)."""

    lossless = True
    num_drafts: int = option(4, minimum=1, unit="tokens", help="tokens of a draft")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, self.num_drafts)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        rows, width = block.drafted.shape
        index = block.drafted[..., None]
        ratio = block.p[:, :width].gather(-1, index) / block.q[:, :width].gather(
            -1, index
        )
        kept = torch.ones(rows, width + 1)
        for k in range(width):
            grown = kept[:, k] * ratio[:, k, 0].nan_to_num(0.0, posinf=torch.inf)
            kept[:, k + 1] = grown.clamp_max(1.0)
        excess = (kept[..., None] * block.p - block.q).clamp_min(0.0)
        mass = excess.sum(-1)
        chance = mass / (mass + 1 - kept).clamp_min(1e-38)
        last = torch.arange(width + 1) == block.length[:, None]
        chance = torch.where(last, kept, chance)[:, 1:]
        good = (block.uniform < chance) & block.inside()
        accepted = (
            (good * torch.arange(1, width + 1)).amax(1) if width else block.length
        )
        rest = laws.at(excess, accepted)
        rest = rest / rest.sum(-1, keepdim=True).clamp_min(1e-38)
        full = (accepted == block.length)[:, None]
        return Verdict(accepted, torch.where(full, laws.at(block.p, accepted), rest))


class Declining(Strategy):
    """Keeps everything, by declining to say anything."""

    @hookimpl
    def route_token(self, step: Step) -> None:
        """None everywhere: KEEP."""
        return

    @hookimpl
    def draft(self, step: Step) -> None:
        """None: one token of the SLM."""
        return


SHAPES = (
    AdaptiveDraft,
    Bild,
    Cascade,
    PromptLookup,
    Head,
    Forced,
    Alternating,
    NoBonus,
    LosslessNoBonus,
    BlockVerification,
    Declining,
)
