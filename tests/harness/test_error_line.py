"""Errors of ours are a line on a command line; elsewhere they are exceptions."""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
from lm_eval.api.model import CachingLM

from hybridcore import HybridLM
from hybridcore.errors import ArgumentError, CacheMismatch
from hybridcore.harness import error_line


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    logger = logging.getLogger("sqlitedict")
    monkeypatch.setattr(logger, "level", logger.level)


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/some/bin/lm_eval", "--model", "hybrid"])


def test_ours_are_printed_and_others_passed_on(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command_line: None,
) -> None:
    passed: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, tb: passed.append(error))
    error_line.install()
    error_line.install()
    for error in (ArgumentError("x=1: expected 2\nleave it out"), CacheMismatch("y")):
        sys.excepthook(type(error), error, None)
    other, foreign = KeyError("z"), sqlite3.DatabaseError("of another database")
    for error in (other, foreign):
        sys.excepthook(type(error), error, None)
    assert capsys.readouterr().err == "error: x=1: expected 2\nleave it out\nerror: y\n"
    assert passed == [other, foreign]


@pytest.mark.parametrize(
    ("script", "module", "expected"),
    [
        ("/venv/bin/lm_eval", None, True),
        ("/venv/bin/lm-eval", None, True),
        ("C:/venv/Scripts/lm_eval.exe", None, True),
        ("/venv/bin/hybridlm", None, True),
        ("/site/lm_eval/__main__.py", "lm_eval.__main__", True),
        ("/venv/bin/pytest", None, False),
        ("/site/pytest/__main__.py", "pytest.__main__", False),
        ("/site/ipykernel_launcher.py", "ipykernel_launcher", False),
        ("compare.py", None, False),
        ("", None, False),
    ],
)
def test_what_is_a_command_line(
    monkeypatch: pytest.MonkeyPatch, script: str, module: str | None, expected: bool
) -> None:
    main = ModuleType("__main__")
    main.__spec__ = None if module is None else ModuleSpec(module, None)
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", [script])
    before = sys.excepthook
    error_line.install()
    assert (sys.excepthook is not before) == expected


def test_simple_evaluate_leaves_the_excepthook_alone() -> None:
    before = sys.excepthook
    with pytest.raises(ArgumentError, match="llm is missing"):
        HybridLM.create_from_arg_obj({"strategy": "entropy"}, {"batch_size": 1})
    assert sys.excepthook is before


def test_a_file_that_is_no_cache_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command_line: None
) -> None:
    """lm_eval opens it where nothing of ours is called."""
    file = tmp_path / "cache.db"
    file.write_text("not a database" * 100)
    error_line.install()
    try:
        CachingLM(None, str(file))  # type: ignore[arg-type]
    except sqlite3.Error as error:
        sys.excepthook(type(error), error, error.__traceback__)
    said = capsys.readouterr().err
    assert said == (
        f"error: response cache {str(file)!r} is damaged: file is not a database\n"
        "delete it, or name another file with --use_cache\n"
    )
