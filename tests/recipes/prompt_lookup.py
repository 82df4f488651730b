"""Prompt lookup: draft what followed the same words before. No SLM is needed."""

from collections.abc import Sequence

import torch

from hybridcore import Block, Draft, Route, Step, Strategy, Verdict, hookimpl, option
from hybridcore.laws import speculative_sample


class PromptLookup(Strategy):
    """Copy the continuation of the last earlier n-gram, and let the LLM judge it."""

    lossless = True
    requires = frozenset()

    num_drafts: int = option(10, minimum=1, unit="tokens", help="longest draft")
    max_ngram: int = option(3, minimum=1, unit="tokens", help="longest n-gram")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.check_at(step, 1)

    @hookimpl
    def draft(self, step: Step) -> Draft:
        budgets = step.budget.tolist()
        found = [self.found(step.tokens(i))[: budgets[i]] for i in range(len(step))]
        width = max(map(len, found))
        padded = [[*tokens, *[0] * (width - len(tokens))] for tokens in found]
        device = step.budget.device
        return Draft(
            torch.tensor(padded, dtype=torch.int64, device=device),
            torch.tensor([len(tokens) for tokens in found], device=device),
        )

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        return speculative_sample(block)

    def found(self, tokens: Sequence[int]) -> Sequence[int]:
        """Return what followed the longest n-gram at the end of ``tokens``."""
        for size in range(self.max_ngram, 0, -1):
            tail = tokens[-size:]
            for start in range(len(tokens) - size - 1, -1, -1):
                behind = start + size
                if tokens[start:behind] == tail:
                    return tokens[behind : behind + self.num_drafts]
        return []
