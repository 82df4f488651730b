"""One word problem: its question, its chain of numbers, its worked answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

HELD_OUT_SHARE = 16


@dataclass(frozen=True, slots=True)
class Step:
    """One move of the chain: ``total`` is what it leaves."""

    subject: str
    action: str
    amount: int
    before: int
    total: int

    @property
    def sign(self) -> str:
        """``+`` or ``-``."""
        return "+" if self.total >= self.before else "-"

    def worked(self, total: int | None = None) -> str:
        """The step as a worked answer says it, with another total if one is given."""
        result = self.total if total is None else total
        sum_ = f"{self.before}{self.sign}{self.amount}={result}"
        return f" {self.subject} {self.action}: {sum_}."


@dataclass(frozen=True, slots=True)
class Problem:
    """A question, its chain, and the numbers that only distract."""

    question: str
    hero: str
    start: int
    steps: tuple[Step, ...]
    distractors: tuple[int, ...]

    @property
    def prompt(self) -> str:
        """What a model is given; it has no trailing space."""
        return f"Question: {self.question}\nSolution:"

    @property
    def opening(self) -> str:
        """The first sentence of the worked answer, with its leading space."""
        return f" {self.hero} has {self.start}."

    @property
    def answer(self) -> int:
        """The number asked for."""
        return self.steps[-1].total

    @property
    def solution(self) -> str:
        """The worked answer, with its leading space."""
        steps = "".join(step.worked() for step in self.steps)
        return f"{self.opening}{steps}\nAnswer: {self.answer}"

    @property
    def text(self) -> str:
        """The whole document."""
        return self.prompt + self.solution

    @property
    def held_out(self) -> bool:
        """Whether the chain of numbers belongs to the tasks, never to training."""
        chain = (self.start, *(step.total for step in self.steps))
        digest = hashlib.sha256(repr(chain).encode()).digest()
        return digest[0] % HELD_OUT_SHARE == 0
