"""A Python process of its own that examines one strategy and reports in JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_PATH = "HYBRIDLM_CONFORMANCE_PATH"


class ChildProcess:
    """Runs ``python -m module label``; starts at once, ``report()`` waits.

    It sees the same import path, offline, with another salt of ``hash()``.
    """

    def __init__(self, module: str, label: str) -> None:
        environment = {
            **os.environ,
            _PATH: os.pathsep.join(sys.path),
            "PYTHONHASHSEED": "7",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            # two threads on models this small are slower than one
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, label],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def report(self) -> dict[str, Any]:
        """Return what it found; under ``error`` why it found nothing."""
        output, errors = self._process.communicate()
        lines = output.splitlines()
        if self._process.returncode or not lines:
            last = (errors.strip().splitlines() or ["no output"])[-1]
            return {"error": last}
        found: dict[str, Any] = json.loads(lines[-1])
        return found

    def stop(self) -> None:
        """End it, if nobody waits for it any more."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def report_as_child(examine: Callable[[str], dict[str, Any]]) -> None:
    """Examine the strategy named on the command line; print the report.

    Modules that run as a child end with this.
    """
    if _PATH in os.environ:
        sys.path[:] = os.environ.pop(_PATH).split(os.pathsep)
    from ..errors import HybridLMError

    try:
        found = examine(sys.argv[1])
    except HybridLMError as error:
        found = {"error": str(error)}
    print("\n" + json.dumps(found, default=repr))
