"""On the command line an error of ours is one line, not a traceback."""

from __future__ import annotations

import sys
from types import TracebackType

from ..errors import HybridLMError


def install() -> None:
    """Print our errors as ``error: ...``; leave all others to the hook before.

    The exit code stays that of any uncaught exception. Only lm_eval's creators call
    this: who uses the library gets exceptions.
    """
    before = sys.excepthook
    if getattr(before, "of_hybridlm", False):
        return

    def hook(
        kind: type[BaseException],
        error: BaseException,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, HybridLMError):
            print(f"error: {error}", file=sys.stderr)
        else:
            before(kind, error, traceback)

    hook.of_hybridlm = True  # type: ignore[attr-defined]
    sys.excepthook = hook
