"""One page on a run: accuracy against cost, and every sample token by token.

    written = write_report(["runs/gsm8k"])
    print(written.page)

Needs the extra ``hybridlm[report]``. What is read may come from anywhere: model output
is shown as text, whatever it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .writing import Written, write_report

__all__ = ["Written", "write_report"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ..errors import ReportError

    try:
        from . import writing
    except ModuleNotFoundError as error:
        raise ReportError(
            f"a report needs {error.name}, which is not installed\n"
            "pip install 'hybridlm[report]'"
        ) from None
    return getattr(writing, name)
