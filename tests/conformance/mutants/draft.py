"""Drafters with one thing wrong."""

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

from .registry import mutant

WIDTH = 3


class Drafter(Strategy):
    """Drafts copies of the last token, without an SLM; mutants change one method."""

    requires = frozenset()
    lossless = True

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, 1)

    @hookimpl
    def draft(self, step: Step) -> Draft:
        return Draft(self.tokens(step), self.length(step), self.law(step))

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        return laws.speculative_sample(block)

    def tokens(self, step):
        return torch.tensor([[step.tokens(i)[-1]] * WIDTH for i in range(len(step))])

    def length(self, step):
        return step.budget.clamp_max(WIDTH)

    def law(self, step):
        return None


@mutant("DRAFT-1")
class OutsideTheVocabulary(Drafter):
    """drafts the end-of-text token of another model"""

    def tokens(self, step):
        return torch.full((len(step), WIDTH), 50256)


@mutant("DRAFT-1")
class NegativeIds(Drafter):
    """marks the end of a draft by -1, and counts it in the length"""

    def tokens(self, step):
        tokens = super().tokens(step)
        tokens[:, -1] = -1
        return tokens


@mutant("DRAFT-1")
class HalfWords(Drafter):
    """ids of type int32"""

    def tokens(self, step):
        return super().tokens(step).int()


@mutant("DRAFT-1")
class FlatTokens(Drafter):
    """one draft for the whole batch"""

    def tokens(self, step):
        return super().tokens(step)[0]


class WithLaw(Drafter):
    """The same, as draws from laws over the SLM's vocabulary."""

    requires = frozenset({"slm"})

    def law(self, step):
        size = step.logits.shape[-1]
        return self.change(laws.one_hot(self.tokens(step), size))

    def change(self, law):
        return law


@mutant("DRAFT-2")
class LawOfHalf(WithLaw):
    """laws that sum to one half"""

    def change(self, law):
        return law / 2


@mutant("DRAFT-2")
class RuledOut(WithLaw):
    """laws that rule out the tokens drafted from them"""

    def change(self, law):
        return law.roll(1, -1)


@mutant("DRAFT-2")
class LogLaws(WithLaw):
    """log-probabilities in place of laws"""

    def change(self, law):
        return (law + 1e-9).log()


@mutant("DRAFT-3")
class FirstRowsTokens(Drafter):
    """drafts for every row what the first row's text suggests"""

    def tokens(self, step):
        return super().tokens(step)[:1].expand(len(step), -1).clone()


@mutant("DRAFT-3")
class AppendsToTheText(Drafter):
    """appends its drafts to the row's own list"""

    def tokens(self, step):
        tokens = super().tokens(step)
        for i in range(len(step)):
            step.tokens(i).append(int(tokens[i, 0]))
        return tokens


@mutant("DRAFT-3")
class RandomDrafts(Drafter):
    """drafts at random, by torch's global generator"""

    def tokens(self, step):
        return torch.randint(0, 4, (len(step), WIDTH))


@mutant("DRAFT-4")
class IgnoresTheBudget(Drafter):
    """drafts three tokens, whatever the budget is"""

    def length(self, step):
        return torch.full_like(step.budget, WIDTH)


@mutant("DRAFT-4")
class IgnoresTheCount(Drafter):
    """an option `num_drafts` that nobody reads: always three, where there is room"""

    num_drafts: int = option(2, minimum=1, help="tokens drafted in one go")


@mutant("DRAFT-4")
class NeedsAContext(Drafter):
    """reads the third token from the end, where there may be but one"""

    def tokens(self, step):
        return torch.tensor([[step.tokens(i)[-3]] * WIDTH for i in range(len(step))])
