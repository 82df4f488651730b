"""What a mutant is: a strategy with one thing wrong, and the check that must see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hybridcore import Strategy

# checks that need a process, a pair of networks, or a second: run where aimed at
SLOW = frozenset({"EVAL-1", "EVAL-2", "PERF-1", "PERF-2"})
# checks of distributions: asked of those in distributions.py
INSTALLED = frozenset({"LOAD-1", "LOAD-2", "LOAD-6"})


@dataclass(frozen=True)
class Mutant:
    """A strategy and the check that is to kill it."""

    strategy: type[Strategy]
    aim: str
    fault: str = ""

    @property
    def name(self) -> str:
        return self.strategy.__name__


MUTANTS: dict[str, Mutant] = {}


def mutant(aim: str, fault: str = "") -> Callable[[type[Strategy]], type[Strategy]]:
    """Register a class; what is wrong with it is its docstring, or ``fault``."""

    def add(cls: type[Strategy]) -> type[Strategy]:
        wrong = fault or (cls.__doc__ or "").strip()
        MUTANTS[cls.__name__] = Mutant(cls, aim, wrong)
        return cls

    return add
