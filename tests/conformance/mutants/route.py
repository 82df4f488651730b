"""Routers with one thing wrong."""

import random

import torch

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.signals import entropy, least_confidence

from .registry import mutant


class Router(Strategy):
    """Asks where `signal` exceeds the threshold; mutants change one method."""

    threshold: float = option(
        1.0, minimum=-1.0, help="signal above which the LLM decides"
    )

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(self.signal(step.logits), self.threshold)

    def signal(self, logits):
        return entropy(logits)


@mutant("ROUTE-1")
class BoolVerdicts(Router):
    """a verdict of type bool"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route(self.signal(step.logits) > self.threshold)


@mutant("ROUTE-1")
class BareTensor(Router):
    """a tensor in place of a Route"""

    @hookimpl
    def route_token(self, step: Step):
        return (self.signal(step.logits) > self.threshold).long() * Route.ASK


@mutant("ROUTE-1")
class FourthVerdict(Router):
    """a verdict of 3"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route(torch.full_like(step.pending, 3))


@mutant("ROUTE-1")
class OneVerdict(Router):
    """one verdict for the whole batch"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route((self.signal(step.logits).max() > self.threshold).long() * 2)


@mutant("ROUTE-2")
class GlobalRandom(Router):
    """asks at random, by torch's global generator"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route((torch.rand(len(step)) < 0.5).long() * Route.ASK)


@mutant("ROUTE-2")
class OwnRandom(Router):
    """asks at random, by a generator that the module owns"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        asks = [_COIN.random() < 0.5 for _ in range(len(step))]
        return Route(torch.tensor(asks).long() * Route.ASK)


_COIN = random.Random(0)


@mutant("ROUTE-2")
class SeededByTheWorld(Router):
    """draws a number for each row when it starts, by Python's global generator"""

    @hookimpl
    def start(self, request):
        return random.random()

    @hookimpl
    def route_token(self, step: Step) -> Route:
        signal = self.signal(step.logits) + torch.tensor(step.states)
        return Route.ask_above(signal, self.threshold)


@mutant("ROUTE-3")
class ChangesLogits(Router):
    """subtracts the largest logit in place"""

    def signal(self, logits):
        logits -= logits.amax(-1, keepdim=True)
        return entropy(logits)


@mutant("ROUTE-3")
class ChangesTokens(Router):
    """writes to the list of a row's tokens"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        for i in range(len(step)):
            step.tokens(i).append(0)
        return super().route_token(step)


@mutant("ROUTE-3")
class SeedsInTheHook(Router):
    """seeds torch in the hook, so that the numbers drawn are the same each time"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        torch.manual_seed(0)
        return super().route_token(step)


@mutant("ROUTE-3")
class RemembersOnItself(Router):
    """writes to its own attributes"""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "last", 0.0)

    def signal(self, logits):
        object.__setattr__(self, "last", float(entropy(logits).max()))
        return entropy(logits)


@mutant("ROUTE-4")
class BatchMean(Router):
    """asks above the mean of the batch"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        signal = self.signal(step.logits)
        return Route.ask_above(signal, float(signal.mean()))


@mutant("ROUTE-4")
class OneAskABatch(Router):
    """asks only in the most uncertain row"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        signal = self.signal(step.logits)
        asks = (signal > self.threshold) & (signal == signal.max())
        return Route(asks.long() * Route.ASK, signal)


@mutant("ROUTE-4")
class SharedState(Router):
    """one state for all rows of the batch"""

    @hookimpl
    def start(self, request):
        return _SHARED

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return super().route_token(step)


_SHARED = {"asked": 0}


@mutant("ROUTE-5")
class NormalisedByWidth(Router):
    """divides by the log of the width of the logits, padding columns included"""

    def signal(self, logits):
        return 2 * entropy(logits) / torch.tensor(float(logits.shape[-1])).log()


@mutant("ROUTE-5")
class LooksAtTheLast(Router):
    """asks where the last column is unlikely, whatever it is"""

    def signal(self, logits):
        return 1.5 - logits.softmax(-1)[:, -1] - logits.softmax(-1)[:, 0]


@mutant("ROUTE-6")
class SilentNaN(Router):
    """routes NaN as if it were certain: no signal, and NaN exceeds nothing"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route((self.signal(step.logits) > self.threshold).long() * Route.ASK)


@mutant("ROUTE-6")
class NaiveEntropy(Router):
    """`p * log p` without a thought of p = 0"""

    def signal(self, logits):
        law = logits.softmax(-1)
        return -(law * law.log()).sum(-1)


@mutant("ROUTE-7")
class HashesBits(Router):
    """asks at random, by the bits of the logits"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        rows = (step.logits - step.logits[:, :1]).tolist()
        if any(x != x for row in rows for x in row):
            raise ValueError("logits are NaN")
        finite = [tuple(x for x in row if x > -1e30) for row in rows]
        asks = [random.Random(repr(row)).random() < 0.5 for row in finite]
        return Route(torch.tensor(asks).long() * Route.ASK)


@mutant("ROUTE-8")
class WrongWay(Router):
    """asks below the threshold in place of above"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        signal = self.signal(step.logits)
        return Route((signal < self.threshold).long() * Route.ASK, signal)


@mutant("ROUTE-8")
class NearTheThreshold(Router):
    """asks where the signal is near the threshold"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        signal = self.signal(step.logits)
        near = (signal - self.threshold).abs() < 0.3
        return Route(near.long() * Route.ASK, signal)


@mutant("ROUTE-9")
class IgnoresTheThreshold(Router):
    """compares with the default, whatever the threshold is"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(self.signal(step.logits), 1.0)


@mutant("ROUTE-9")
class ShortDial(Strategy):
    """a threshold whose range ends before the LLM is always asked"""

    threshold: float = option(0.5, minimum=0.3, maximum=1.0, help="least confidence")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(least_confidence(step.logits), self.threshold)


@mutant("ROUTE-9")
class ChecksForAsks(Router):
    """CHECK where it means ASK: the SLM's token stays"""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        signal = self.signal(step.logits)
        return Route((signal > self.threshold).long() * Route.CHECK, signal)


@mutant("ROUTE-10")
class RawLogit(Router):
    """takes the largest raw logit for confidence"""

    def signal(self, logits):
        return 4.0 - logits.amax(-1)


@mutant("ROUTE-10")
class NaiveSoftmax(Router):
    """a softmax that overflows: `exp` without subtracting the largest logit"""

    def signal(self, logits):
        mass = logits.clamp(max=60.0).exp()
        return 1.5 - (mass / mass.sum(-1, keepdim=True)).amax(-1)
