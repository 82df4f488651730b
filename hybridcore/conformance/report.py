"""The outcome of every check as JSON, for badges and the directory of plugins."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from .. import __version__
from ..whole_file import write_whole
from . import SUITE_VERSION
from .examination import Examination
from .outcome import BAD, CheckResult
from .suite import CHECKS

Entry = dict[str, Any]


def entry(result: CheckResult) -> Entry:
    """Return an outcome as it stands in the report."""
    texts = ("reason", "expected", "got", "example")
    said = {name: getattr(result, name) for name in texts if getattr(result, name)}
    return {
        "id": result.id,
        "title": result.check.title,
        "outcome": result.outcome,
        **said,
        "seconds": round(result.seconds, 3),
    }


class ReportWriter:
    """A pytest plugin: gathers outcomes from wherever they ran, and writes them."""

    def __init__(self, path: Path, examinations: Sequence[Examination]) -> None:
        self._path = path
        self._examinations = examinations
        self._entries: dict[str, list[Entry]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the outcome out of what pytest tells of a test."""
        if report.when != "call":
            return
        for name, told in report.user_properties:
            if name == "hybridlm" and isinstance(told, dict):
                label = told["strategy"]
                known = {k: v for k, v in told.items() if k != "strategy"}
                self._entries.setdefault(label, []).append(known)

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        data = {
            "suite": SUITE_VERSION,
            "hybridlm": __version__,
            "strategies": [
                strategy_report(it, self._entries.get(it.subject.label, []))
                for it in self._examinations
            ],
        }
        write_whole(self._path, json.dumps(data, indent=2) + "\n")


def strategy_report(examination: Examination, entries: list[Entry]) -> dict[str, Any]:
    """Return what the report says of one strategy.

    It conforms if nothing is bad and no check that applies was left out.
    """
    subject = examination.subject
    made = subject.distribution
    order = [check.id for check in CHECKS]
    run = {told["id"] for told in entries}
    bad = BAD | {"skipped"}
    left_out = [c.id for c in examination.applicable() if c.id not in run]
    return {
        "strategy": subject.name,
        "options": dict(subject.options),
        "distribution": None if made is None else made.name,
        "version": None if made is None else made.version,
        "conforms": not left_out
        and not any(told["outcome"] in bad for told in entries),
        "counts": dict(Counter(told["outcome"] for told in entries)),
        "left_out": left_out,
        "checks": sorted(entries, key=lambda told: order.index(told["id"])),
    }
