"""What lm_eval says of the machine, asked once, not for every cell."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lm_eval import evaluator


@contextmanager
def asked_once() -> Iterator[None]:
    """Let all evaluations in the block share one look at the machine.

    It starts ten processes (pip, lscpu, ...) and takes seconds.
    """
    before, hashed = evaluator.add_env_info, evaluator.get_git_commit_hash
    known: dict[str, Any] = {}

    def add(storage: dict[str, Any]) -> None:
        if not known:
            before(known)
        storage.update(known)

    commit = _git_commit()
    evaluator.add_env_info = add
    evaluator.get_git_commit_hash = lambda: commit
    try:
        yield
    finally:
        evaluator.add_env_info = before
        evaluator.get_git_commit_hash = hashed


def _git_commit() -> str | None:
    """Return what lm_eval reports as the commit, without git's complaints."""
    try:
        line = ["git", "describe", "--always"]
        done = subprocess.run(line, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None
