"""Runs the checks of one strategy: gates, known failures, outcomes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import ArgumentError, StrategyBroken, did_you_mean
from .check import Check, Failure
from .outcome import CheckResult, Results
from .subject import Subject
from .suite import CHECKS


def check_strategy(
    strategy: Any,
    only: Iterable[str] | None = None,
    *,
    in_process: bool = False,
    checks: Sequence[Check] = CHECKS,
) -> Results:
    """Examine a strategy; print what comes back to see it as a table.

    :param strategy: a name as in ``model_args`` (``"foo"``,
        ``"foo:threshold=0.3"``), a class, or an instance.
    :param only: ids or families to run; all of them by default.
    :param in_process: run lm_eval in this process, not in one of its own: quicker
        where many strategies are examined.
    :raises StrategyNotFound: nothing installed has that name.
    :raises ArgumentError: ``only`` or ``conformance_xfail`` names no check.
    """
    examination = Examination(Subject(strategy, in_process), checks)
    wanted = checks_named(checks, only)
    examination.start(wanted)
    try:
        results = [examination.result(check) for check in wanted]
    finally:
        examination.stop()
    return Results(examination.subject.label, results)


def checks_named(checks: Sequence[Check], only: Iterable[str] | None) -> list[Check]:
    """Return the checks with these ids or of these families, in the suite's order.

    :raises ArgumentError: a name is neither.
    """
    if only is None:
        return list(checks)
    names = set(only)
    _refuse_unknown(checks, names, "only")
    return [check for check in checks if {check.id, check.family} & names]


class Examination:
    """The checks of one strategy, each run once, when it is asked for.

    :raises ArgumentError: ``conformance_xfail`` names a check that does not exist, or
        the strategy refuses the options that it was named with.
    """

    def __init__(self, subject: Subject, checks: Sequence[Check] = CHECKS) -> None:
        self.subject = subject
        self._checks = checks
        self._results: dict[str, CheckResult] = {}
        try:
            self._xfail = dict(subject.xfail)
            self._broken = False
            if subject.options:
                subject.instance()
        except StrategyBroken:  # the first check says what is wrong with it
            self._xfail = {}
            self._broken = True
        _refuse_unknown(checks, set(self._xfail), "conformance_xfail")

    def start(self, checks: Iterable[Check]) -> None:
        """Start the processes that ``checks`` will wait for."""
        for child in dict.fromkeys(check.child for check in checks):
            if child is not None:
                self.subject.start(child)

    def stop(self) -> None:
        """End the processes that nobody waited for."""
        self.subject.stop()

    def applicable(self) -> list[Check]:
        """Return the checks for strategies of this kind; all, if it is broken."""
        if self._broken:
            return list(self._checks)
        return [c for c in self._checks if not c.inapplicable(self.subject)]

    def result(self, check: Check) -> CheckResult:
        """Return the outcome of a check; those that it builds on are run before."""
        if check.id not in self._results:
            self._results[check.id] = self._result(check)
        return self._results[check.id]

    def _result(self, check: Check) -> CheckResult:
        if self._broken and check is not self._checks[0]:
            return CheckResult(check, "skipped", f"fix {self._checks[0].id} first")
        if reason := check.inapplicable(self.subject):
            return CheckResult(check, "inapplicable", reason)
        if gates := self._failed_before(check):
            return CheckResult(check, "skipped", f"fix {', '.join(gates)} first")
        start = time.perf_counter()
        failure = _failure(check, self.subject)
        return self._judged(check, failure, time.perf_counter() - start)

    def _failed_before(self, check: Check) -> list[str]:
        """Ids of failed checks that it builds on.

        These are the contracts before it; those of the first family do not build on
        each other, unless they say so.
        """
        first = self._checks[0].family
        return [
            other.id
            for other in self._checks[: self._checks.index(check)]
            if (
                other.id in check.needs
                if other.family == check.family == first
                else other.contract
            )
            and self.result(other).outcome == "failed"
        ]

    def _judged(
        self, check: Check, failure: Failure | None, seconds: float
    ) -> CheckResult:
        reason = self._xfail.get(check.id)
        if failure is None and reason is None:
            return CheckResult(check, "passed", seconds=seconds)
        if failure is None:
            stale = (
                f"conformance_xfail says {reason!r}, but it passes: remove the entry"
            )
            return CheckResult(check, "xpassed", stale, seconds=seconds)
        if reason is not None:
            return CheckResult.of_failure(check, "xfailed", failure, seconds, reason)
        if check.only_warns:
            soon = f"new in suite {check.since}, fails from the next version on"
            return CheckResult.of_failure(check, "warned", failure, seconds, soon)
        return CheckResult.of_failure(check, "failed", failure, seconds)


def _failure(check: Check, subject: Subject) -> Failure | None:
    # what a strategy warns of is its own affair, also where warnings are errors
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check.run(subject)
        except Failure as failure:
            return failure
        except Exception as error:  # whatever a strategy raises, it is its failure
            return Failure.of_exception(error)
    return None


def _refuse_unknown(checks: Sequence[Check], names: set[str], place: str) -> None:
    known = {check.id for check in checks}
    if place == "only":
        known |= {check.family for check in checks}
    for name in sorted(names - known):
        raise ArgumentError(
            f"{place} names {name!r}: no such check{did_you_mean(name, known)}\n"
            "the ids are in docs/conformance.md"
        )
