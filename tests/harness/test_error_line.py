"""Errors of ours are a line on the command line; others keep their traceback."""

from __future__ import annotations

import sys

import pytest

from hybridcore.errors import ArgumentError, CacheMismatch
from hybridcore.harness import error_line


def test_ours_are_printed_and_others_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    passed: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, tb: passed.append(error))
    error_line.install()
    error_line.install()
    for error in (ArgumentError("x=1: expected 2\nleave it out"), CacheMismatch("y")):
        sys.excepthook(type(error), error, None)
    other = KeyError("z")
    sys.excepthook(KeyError, other, None)
    assert capsys.readouterr().err == "error: x=1: expected 2\nleave it out\nerror: y\n"
    assert passed == [other]
