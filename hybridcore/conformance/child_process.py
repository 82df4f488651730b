"""A Python process of its own that does jobs for one strategy and reports in JSON.

``python -m hybridcore.conformance.child_process NAME fresh evaluation``
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, Literal

Job = Literal["fresh", "evaluation"]
# each has ``examine(label) -> dict`` and is imported when its turn comes
MODULES = {"fresh": "fresh_process", "evaluation": "evaluation"}
_PATH = "HYBRIDLM_CONFORMANCE_PATH"
_MARK = "hybridlm-conformance-report "


class ChildProcess:
    """Starts at once and does ``jobs`` in order; ``report()`` waits for one.

    It sees the same import path, offline, with another salt of ``hash()``.
    """

    def __init__(self, label: str, jobs: Sequence[Job]) -> None:
        environment = {
            **os.environ,
            _PATH: os.pathsep.join(sys.path),
            "PYTHONHASHSEED": "7",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            # two threads on models this small are slower than one
            "OMP_NUM_THREADS": "1",
        }
        self._found: dict[str, dict[str, Any]] = {}
        # a pipe that nobody reads would stop it
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - see stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, label, *jobs],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def report(self, job: Job) -> dict[str, Any]:
        """Return what a job found; under ``error`` why it found nothing."""
        assert self._process.stdout is not None
        while job not in self._found:
            line = self._process.stdout.readline()
            if not line:
                return {"error": self._last_words()}
            if line.startswith(_MARK):
                self._found.update(json.loads(line.removeprefix(_MARK)))
        return self._found[job]

    def stop(self) -> None:
        """End it, if nobody waits for it any more."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"the process ended with code {code}"


def main() -> None:
    """Do the jobs of the command line; print one line of JSON for each."""
    if _PATH in os.environ:
        sys.path[:] = os.environ.pop(_PATH).split(os.pathsep)
    label, *jobs = sys.argv[1:]
    for job in jobs:
        module = importlib.import_module(f".{MODULES[job]}", __package__)
        try:
            found = module.examine(label)
        except Exception as error:  # the checks that wait for it report it
            found = {"error": f"{type(error).__name__}: {error}"}
        # whatever was printed before may not have ended its line
        print(f"\n{_MARK}{json.dumps({job: found}, default=repr)}", flush=True)


if __name__ == "__main__":
    main()
