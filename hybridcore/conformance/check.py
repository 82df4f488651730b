"""What a check is, what it applies to, and how it says that it failed."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import HookError
from . import SUITE_VERSION
from .child_process import Job

if TYPE_CHECKING:
    from .subject import Subject

Run = Callable[["Subject"], None]


class Failure(Exception):
    """A check found what it must not.

    :param expected: what the contract says.
    :param got: what came instead.
    :param example: the smallest input that shows it; "" where none is needed.
    """

    def __init__(self, expected: str, got: str, example: str = "") -> None:
        super().__init__(expected, got, example)
        self.expected = expected
        self.got = got
        self.example = example

    @classmethod
    def of_hook_error(cls, error: HookError, example: str = "") -> Failure:
        """Take apart what the dispatcher said of a hook's answer."""
        found = re.fullmatch(r"(.*): expected (.*), got (.*)", str(error), re.DOTALL)
        if found is None:
            return cls("an answer that the engine can use", str(error), example)
        place, expected, got = found.groups()
        return cls(f"{expected} ({place})", got, example)

    @classmethod
    def of_exception(cls, error: Exception, example: str = "") -> Failure:
        """Say where a strategy raised what it should not."""
        if isinstance(error, HookError):
            return cls.of_hook_error(error, example)
        got = f"{type(error).__name__}: {error}"
        if frames := traceback.extract_tb(error.__traceback__):
            last = frames[-1]
            got += f" ({last.filename}, line {last.lineno}, in {last.name})"
        return cls("no exception", got, example)


@dataclass(frozen=True)
class Capability:
    """A property of a strategy that makes a check apply to it.

    ``title`` reads behind "applies to strategies that"; ``lacking`` behind "it".
    """

    title: str
    lacking: str
    holds: Callable[[Subject], bool]


@dataclass(frozen=True)
class Check:
    """One check of the suite.

    Attributes:
        id: ``FAMILY-number``, also the anchor of its documentation.
        title: what must hold, in one line.
        run: raises :class:`Failure`, or whatever the strategy raised.
        applies: what the strategy must be like; all of them.
        contract: everything behind it relies on it, and is skipped if it fails.
        needs: ids of checks of its own family without which it makes no sense.
        job: of the subject's process, whose report it waits for, if any.
        since: suite version that introduced it.
    """

    id: str
    title: str
    run: Run
    applies: tuple[Capability, ...] = ()
    contract: bool = False
    needs: tuple[str, ...] = ()
    job: Job | None = None
    since: str = "1.0"

    @property
    def family(self) -> str:
        """``LOAD``, ``ROUTE``, ..."""
        return self.id.partition("-")[0]

    @property
    def anchor(self) -> str:
        """Where its documentation is."""
        return f"docs/conformance.md#{self.id.lower()}"

    @property
    def only_warns(self) -> bool:
        """A check that is new in this version of the suite fails from the next on."""
        return self.since == SUITE_VERSION and not self.since.endswith(".0")

    def inapplicable(self, subject: Subject) -> str:
        """Why it does not apply to ``subject``, ``""`` where it does."""
        for capability in self.applies:
            if not capability.holds(subject):
                return f"it {capability.lacking}"
        return ""


class Family:
    """The checks of one family, in the order in which they were defined."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.checks: list[Check] = []

    def check(
        self,
        title: str,
        *applies: Capability,
        contract: bool = False,
        needs: tuple[str, ...] = (),
        job: Job | None = None,
        since: str = "1.0",
    ) -> Callable[[Run], Run]:
        """Add the decorated function as the next check; its id is counted."""

        def add(run: Run) -> Run:
            identity = f"{self.name}-{len(self.checks) + 1}"
            gates = (contract, needs, job, since)
            self.checks.append(Check(identity, title, run, applies, *gates))
            return run

        return add
