"""What came of a check, and of all checks of a strategy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from .check import Check, Failure

Outcome = Literal[
    "passed", "failed", "warned", "xfailed", "xpassed", "skipped", "inapplicable"
]
BAD: frozenset[str] = frozenset({"failed", "xpassed"})


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check.

    ``passed``, ``failed``; ``warned``: failed, but the check is new; ``xfailed``:
    failed, as ``conformance_xfail`` says; ``xpassed``: passed though it says so,
    which is a failure; ``skipped``: another check must pass first;
    ``inapplicable``: the strategy is not of that kind.

    Attributes:
        reason: of an outcome that is neither passed nor failed.
        expected, got, example: of a failure; ``example`` is the smallest input.
        seconds: wall time of the check.
    """

    check: Check
    outcome: Outcome
    reason: str = ""
    expected: str = ""
    got: str = ""
    example: str = ""
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """The id of the check."""
        return self.check.id

    @property
    def bad(self) -> bool:
        """Tell whether it must be repaired."""
        return self.outcome in BAD

    def __str__(self) -> str:
        lines = [f"{self.id}  {self.check.title}: {self.outcome}"]
        if self.reason:
            lines.append(f"  reason    {self.reason}")
        if self.expected:
            lines += [f"  expected  {self.expected}", f"  got       {self.got}"]
        if self.example:
            lines.append(f"  input     {self.example}")
        if self.expected or self.bad:
            lines.append(f"  see       {self.check.anchor}")
        return "\n".join(lines)

    @classmethod
    def of_failure(
        cls,
        check: Check,
        outcome: Outcome,
        failure: Failure,
        seconds: float,
        reason: str = "",
    ) -> CheckResult:
        """Make the result of a check that failed."""
        shown = (failure.expected, failure.got, failure.example)
        return cls(check, outcome, reason, *shown, seconds)


class Results(list[CheckResult]):
    """All results of one strategy; shown as a table."""

    def __init__(self, name: str, results: list[CheckResult]) -> None:
        super().__init__(results)
        self.name = name

    @property
    def ok(self) -> bool:
        """Tell whether nothing must be repaired."""
        return not any(result.bad for result in self)

    def counts(self) -> dict[str, int]:
        """Return how many checks came to which outcome."""
        return dict(Counter(result.outcome for result in self))

    def table(self) -> str:
        """Return one line a check, and what failed in full."""
        width = max((len(result.id) for result in self), default=0)
        lines = [
            f"{r.id:<{width}}  {r.outcome:<12}  {r.reason or r.check.title}"
            for r in self
        ]
        lines += [f"\n{r}" for r in self if r.expected or r.bad]
        counts = ", ".join(f"{n} {what}" for what, n in self.counts().items())
        return "\n".join(
            [*lines, "", f"{self.name}: {counts or 'nothing was checked'}"]
        )

    __str__ = table
    __repr__ = table
