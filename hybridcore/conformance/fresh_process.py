"""The strategy in a process of its own: what its import brings, what it answers."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FreshReport:
    """What a fresh process found.

    Attributes:
        error: why the strategy could not be loaded there; "" where it could.
        modules: what its import loaded beyond the core.
        cpu_seconds: what that took.
        changed: global state that the import changed.
        transcript: what the strategy answers there, see :mod:`.transcript`.
    """

    error: str = ""
    modules: tuple[str, ...] = ()
    cpu_seconds: float = 0.0
    changed: tuple[str, ...] = ()
    transcript: Any = None


def examine(label: str) -> dict[str, Any]:
    """Import the strategy and ask it the questions of the transcript."""
    from .. import laws, signals  # noqa: F401 - a strategy may count on them
    from ..discovery import find_entry_point, load_entry_point
    from .subject import Subject, parse
    from .transcript import transcript
    from .world import changed, world

    before, state = set(sys.modules), world()
    point = find_entry_point(parse(label)[0])
    begin = time.process_time()
    load_entry_point(point)
    found: dict[str, Any] = {
        "cpu_seconds": time.process_time() - begin,
        "modules": sorted(set(sys.modules) - before),
        "changed": changed(state, world()),
    }
    try:
        found["transcript"] = transcript(Subject(label))
    except Exception as error:  # the checks that run it here report it
        found["transcript"] = repr(error)
    return found
