"""The suite that proves a strategy: ``pytest --hybridlm-strategy foo``.

In a notebook::

    from hybridcore.conformance import check_strategy

    check_strategy(Foo())

Nothing is imported here before it is used: pytest loads :mod:`.plugin` from this
package in every run of every project of an environment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .examination import check_strategy
    from .outcome import CheckResult, Results

SUITE_VERSION = "1.0"

__all__ = ["SUITE_VERSION", "CheckResult", "Results", "check_strategy"]

_HOMES = {
    "CheckResult": "outcome",
    "Results": "outcome",
    "check_strategy": "examination",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
