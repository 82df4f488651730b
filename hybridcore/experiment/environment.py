"""What lm_eval says of the machine, asked once, not for every cell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lm_eval import evaluator


@contextmanager
def asked_once() -> Iterator[None]:
    """Let all evaluations in the block share one look at the machine.

    It starts ten processes (pip, lscpu, ...) and takes seconds.
    """
    before = evaluator.add_env_info
    known: dict[str, Any] = {}

    def add(storage: dict[str, Any]) -> None:
        if not known:
            before(known)
        storage.update(known)

    evaluator.add_env_info = add
    try:
        yield
    finally:
        evaluator.add_env_info = before
