"""Strategies that cannot be found, made or copied as they must."""

from typing import Any, Literal

import torch

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.options import coerced
from hybridcore.signals import entropy

from .registry import mutant


class Good(Strategy):
    """Asks where the entropy is high; what the mutants here are made of."""

    threshold: float = option(
        1.0, minimum=-1.0, help="nats above which the LLM decides"
    )

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(entropy(step.logits), self.threshold)


@mutant("LOAD-3")
class MisspeltHook(Good):
    """`route_tokens` for `route_token`"""

    @hookimpl
    def route_tokens(self, step: Step) -> Route:
        return Route.check_at(step, 2)


@mutant("LOAD-3")
class WrongArgument(Good):
    """`verify(self, blocks)` for `verify(self, block)`"""

    @hookimpl
    def verify(self, blocks):
        return None


@mutant("LOAD-4")
class DefaultArgument(Good):
    """a default for an argument of a hook"""

    @hookimpl
    def route_token(self, step: Step = None) -> Route:
        return Route.ask_above(entropy(step.logits), self.threshold)


@mutant("LOAD-5")
class ForgottenHookimpl(Good):
    """`verify` without `@hookimpl`"""

    def verify(self, block):
        return None


@mutant("LOAD-7")
class OptionWithoutHelp(Good):
    """an option without help"""

    depth: int = option(3)


@mutant("LOAD-7")
class RequiredOption(Strategy):
    """an option without a default"""

    threshold: float = option(help="nats above which the LLM decides")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(entropy(step.logits), self.threshold)


@mutant("LOAD-7")
class SwallowsOptions(Good):
    """takes options that it does not know"""

    @classmethod
    def from_options(cls, options):
        return cls(**{n: v for n, v in options.items() if n == "threshold"})


@mutant("LOAD-8")
class ForgotSuper(Good):
    """a `__post_init__` of its own that does not call `super().__post_init__()`"""

    def __post_init__(self):
        pass


@mutant("LOAD-8")
class Untyped(Strategy):
    """an option annotated `Any`, so that text stays text"""

    threshold: Any = option(1.0, help="nats above which the LLM decides")

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route.ask_above(entropy(step.logits), float(self.threshold))


@mutant("LOAD-8")
class UncheckedChoices(Good):
    """an option of two words that takes any: no `super().__post_init__()`"""

    rule: Literal["chow", "diff"] = option("chow", help="rule of deferral")

    def __post_init__(self):
        object.__setattr__(
            self, "threshold", coerced(Good, "threshold", self.threshold)
        )


@mutant("LOAD-8")
class TextAmongOthers(Good):
    """text or a number, text first, so that every number becomes text"""

    scale: str | float = option(1.0, help="factor of the entropy")


@mutant("LOAD-9")
class MemoryOnTheClass(Good):
    """a dict on the class, which all instances share"""

    memory = {}


@mutant("LOAD-9")
class SharedList(Good):
    """one list in all instances"""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "seen", _SEEN)


_SEEN = []


@mutant("LOAD-9")
class SeedsTorch(Good):
    """seeds torch when it is made"""

    def __post_init__(self):
        super().__post_init__()
        torch.manual_seed(0)


@mutant("LOAD-10")
class HoldsALambda(Good):
    """holds a lambda, which cannot be pickled"""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "signal", lambda logits: entropy(logits))


@mutant("LOAD-10")
class PrettyRepr(Good):
    """a repr that does not rebuild it"""

    def __repr__(self):
        return f"<asks above {self.threshold} nats>"
