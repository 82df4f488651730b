"""On a command line an error of ours is one line, not a traceback."""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
import traceback as tracebacks
from pathlib import Path
from types import TracebackType
from typing import Any

from lm_eval.api.model import CachingLM

from ..errors import HybridLMError
from .cache_guard import damaged

_SCRIPTS = ("lm_eval", "lm-eval", "hybridlm")
_MODULES = ("lm_eval", "lm_eval.__main__")


def is_command_line() -> bool:
    """Tell whether this process was started as ``lm_eval ...`` or the like.

    Not so in a notebook, under pytest, or in a script that calls ``simple_evaluate``:
    there an exception is the caller's.
    """
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    name = Path(sys.argv[0] if sys.argv else "").stem
    return name in _SCRIPTS or getattr(spec, "name", None) in _MODULES


def install() -> None:
    """Print our errors as ``error: ...``; leave all others to the hook before.

    The exit code stays that of any uncaught exception. Nothing is done where this is
    no command line.
    """
    before = sys.excepthook
    if getattr(before, "of_hybridlm", False) or not is_command_line():
        return

    def hook(
        kind: type[BaseException],
        error: BaseException,
        traceback: TracebackType | None,
    ) -> None:
        ours = ours_of(error, traceback)
        if ours is None:
            before(kind, error, traceback)
        else:
            print(f"error: {ours}", file=sys.stderr)

    hook.of_hybridlm = True  # type: ignore[attr-defined]
    sys.excepthook = hook
    _quieten_sqlitedict()


def ours_of(
    error: BaseException, traceback: TracebackType | None
) -> HybridLMError | None:
    """Return what is to be said in a line: our error, or a damaged response cache.

    lm_eval opens its cache itself, where nothing of ours is called.
    """
    if isinstance(error, HybridLMError):
        return error
    if isinstance(error, sqlite3.Error):
        for frame, _ in tracebacks.walk_tb(traceback):
            caching = frame.f_locals.get("self")
            if isinstance(caching, CachingLM):
                return damaged(caching.cache_db, error)
    return None


def _quieten_sqlitedict() -> None:
    # its thread logs and prints what the caller then gets as an exception
    logging.getLogger("sqlitedict").setLevel(logging.CRITICAL)
    before = threading.excepthook

    def hook(arguments: Any) -> None:
        if not isinstance(arguments.exc_value, sqlite3.Error):
            before(arguments)

    threading.excepthook = hook
