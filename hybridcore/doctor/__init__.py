"""What ``hybridlm doctor`` looks at: each part by itself, whatever fails in others.

A part is a module with ``look() -> Finding``; it is imported when its turn comes, so
that a torch that cannot be imported is found, too, and not met.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from .finding import Finding

PARTS = {
    "versions": "versions",
    "device": "device",
    "bridge": "bridge",
    "strategies": "strategies",
    "end to end": "trial",
}


def examine() -> Iterator[tuple[str, Finding]]:
    """Yield each part with what was found, as soon as it is."""
    for part, module in PARTS.items():
        yield part, _found(module)


def _found(module: str) -> Finding:
    try:
        found: Finding = importlib.import_module(f".{module}", __name__).look()
    # whatever is broken is what is looked for, and must not hide the parts behind it
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines() or [""]
        problem = f"{type(error).__name__}: {lines[0]}".removesuffix(": ")
        return Finding("could not be looked at", {}, (problem,))
    return found
