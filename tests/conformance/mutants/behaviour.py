"""Strategies that decide rightly, and behave badly."""

from collections import Counter

import torch

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.signals import entropy

from .registry import mutant
from .route import Router


@mutant("EVAL-1")
class ShortTable(Router):
    """a table for texts of at most 64 tokens"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        weights = torch.ones(64)
        signal = self.signal(step.logits)
        places = [len(step.tokens(i)) for i in range(len(step))]
        return Route.ask_above(signal * weights[torch.tensor(places)], self.threshold)


@mutant("EVAL-2")
class EveryOtherTime(Router):
    """asks everywhere in long prompts, every other time that it meets them"""

    @hookimpl
    def start(self, request):
        _MET[request.prompt] += 1
        return len(request.prompt) > 16 and _MET[request.prompt] % 2 == 1

    @hookimpl
    def route_token(self, step: Step) -> Route:
        signal = self.signal(step.logits)
        asks = (signal > self.threshold) | torch.tensor(step.states)
        return Route(asks.long() * Route.ASK, signal)


_MET = Counter()


@mutant("PERF-1")
class LoopsOverTheVocabulary(Router):
    """a loop in Python over all tokens of the vocabulary"""

    def signal(self, logits):
        lists = logits.double().softmax(-1).tolist()
        sums = [sum(-p * (p + 1e-9) ** 0.5 for p in sorted(row)) for row in lists]
        return entropy(logits) + 0 * torch.tensor(sums)


@mutant("PERF-2")
class KeepsEverySignal(Router):
    """keeps every signal it ever made"""

    def signal(self, logits):
        _KEPT.append(entropy(logits))
        return _KEPT[-1]


_KEPT = []


@mutant("PERF-2")
class KeepsEveryState(Router):
    """keeps the states of rows that have ended"""

    @hookimpl
    def start(self, request):
        _STATES.append({"prompt": list(request.prompt)})
        return _STATES[-1]


_STATES = []


@mutant("DOC-1", "no docstring")
class Undocumented(Strategy):
    threshold: float = option(
        1.0, minimum=-1.0, help="nats above which the LLM decides"
    )

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(entropy(step.logits), self.threshold)


@mutant("DOC-1")
class SilentNone(Strategy):
    """declines without saying what that means"""

    @hookimpl
    def draft(self, step: Step) -> None:
        """Leave it."""
        return
