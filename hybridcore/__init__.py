"""HybridLM: a small and a large language model answer together, token by token.

What is exported here is what strategy authors and users import; names are
resolved when they are first used, so that ``import hybridcore`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors, laws, signals
    from .decoding.randomness import uniform_of
    from .errors import HybridLMError
    from .exchange import (
        Block,
        Draft,
        Outcome,
        Positions,
        Request,
        Route,
        Step,
        Verdict,
    )
    from .harness.hybrid_lm import HybridLM
    from .hookspecs import hookimpl
    from .hybrid import Hybrid
    from .options import option
    from .strategy import Strategy

__version__ = "0.1.0"

__all__ = [
    "Block",
    "Draft",
    "Hybrid",
    "HybridLM",
    "HybridLMError",
    "Outcome",
    "Positions",
    "Request",
    "Route",
    "Step",
    "Strategy",
    "Verdict",
    "errors",
    "hookimpl",
    "laws",
    "option",
    "signals",
    "uniform_of",
]

_HOMES = {
    "Hybrid": "hybrid",
    "HybridLM": "harness.hybrid_lm",
    "HybridLMError": "errors",
    "Strategy": "strategy",
    "hookimpl": "hookspecs",
    "option": "options",
    "uniform_of": "decoding.randomness",
} | dict.fromkeys(
    ("Block", "Draft", "Outcome", "Positions", "Request", "Route", "Step", "Verdict"),
    "exchange",
)


def __getattr__(name: str) -> Any:
    if name in ("errors", "laws", "signals"):
        return importlib.import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
