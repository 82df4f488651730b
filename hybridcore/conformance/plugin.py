"""``pytest --hybridlm-strategy foo``: every check of the suite as a test.

This module is imported by every run of pytest in an environment, so it imports
nothing of its own before a strategy is named.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .check import Check
    from .examination import Examination

_NAMES = pytest.StashKey[list[str]]()
_SUITES = pytest.StashKey[list["StrategySuite"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; ``hybridlm_strategies`` in pytest's settings is the first."""
    group = parser.getgroup("hybridlm", "strategies of HybridLM")
    group.addoption(
        "--hybridlm-strategy",
        action="append",
        default=[],
        metavar="NAME[:OPTION=VALUE,...]",
        help="run the conformance suite on an installed strategy; repeatable",
    )
    group.addoption(
        "--hybridlm-report",
        metavar="FILE.json",
        help="write what came of each check",
    )
    parser.addini(
        "hybridlm_strategies",
        "strategies to run the conformance suite on, beside the tests",
        type="args",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Find the strategies; with the option and no paths, run nothing but the suite."""
    named = config.getoption("--hybridlm-strategy")
    given = config.args_source is pytest.Config.ArgsSource.ARGS
    if named and not given:
        config.args = []
    names = named or ([] if given else config.getini("hybridlm_strategies"))
    config.stash[_NAMES] = names
    if names:
        _prepare(config, names)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Name the suite's version and the strategies."""
    from . import SUITE_VERSION

    names = config.stash[_NAMES]
    return f"conformance {SUITE_VERSION}: {' '.join(names)}" if names else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add one test for each check of each strategy."""
    suites = [
        StrategySuite.from_parent(session, name=name, nodeid=f"conformance::{name}")
        for name in config.stash[_NAMES]
    ]
    config.stash[_SUITES] = suites
    for suite in suites:
        items.extend(session.genitems(suite))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the processes that nobody waited for."""
    for suite in session.config.stash.get(_SUITES, []):
        suite.examination.stop()


def _prepare(config: pytest.Config, names: list[str]) -> None:
    from ..errors import HybridLMError
    from .examination import Examination
    from .report import ReportWriter
    from .subject import Subject

    try:
        examinations = [Examination(Subject(name)) for name in names]
    except HybridLMError as error:
        raise pytest.UsageError(str(error)) from None
    path = config.getoption("--hybridlm-report")
    # workers of xdist send their outcomes to the process that writes
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ReportWriter(Path(path), examinations))


class StrategySuite(pytest.Collector):
    """The checks of one strategy."""

    def __init__(self, **given: Any) -> None:
        from .examination import Examination
        from .subject import Subject

        super().__init__(**given)
        self.path = self.config.rootpath
        self.examination: Examination = Examination(Subject(self.name))

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one item for each check that applies."""
        for check in self.examination.applicable():
            yield CheckItem.from_parent(self, name=check.id, check=check)


class CheckItem(pytest.Item):
    """One check of one strategy."""

    parent: StrategySuite

    def __init__(self, *, check: Check, **given: Any) -> None:
        super().__init__(**given)
        self.check = check

    def setup(self) -> None:
        """Start the processes that the chosen tests of this strategy wait for."""
        items = [item for item in self.session.items if isinstance(item, CheckItem)]
        chosen = [item.check for item in items if item.parent is self.parent]
        self.parent.examination.start(chosen)

    def runtest(self) -> None:
        """Run the check, and tell pytest its outcome."""
        from .report import entry

        result = self.parent.examination.result(self.check)
        told = {"strategy": self.parent.name, **entry(result)}
        self.user_properties.append(("hybridlm", told))
        if result.bad:
            raise _Bad(result)
        if result.outcome == "warned":
            warnings.warn(pytest.PytestWarning(str(result)), stacklevel=1)
        if result.outcome == "xfailed":
            pytest.xfail(result.reason)
        if result.outcome == "skipped":
            pytest.skip(result.reason)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> Any:
        """Show what was expected and what came, without a traceback of ours."""
        if isinstance(excinfo.value, _Bad):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Head a failure with the strategy and the check."""
        return self.path, None, f"{self.parent.name}: {self.check.id}"


class _Bad(Exception):
    """The outcome of a check that must be repaired."""
