"""Talks to a worker in another interpreter: one JSON line there, one back."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import HybridLMError

_SHOWN = 1500  # characters of what the worker printed
_PATIENCE = 30.0  # seconds to end by itself


class WorkerProcess:
    """A worker script under ``python``; ``with`` ends it.

    :param python: the interpreter.
    :param script: the worker, by file path.
    :param environment: all variables that it sees.
    :raises HybridLMError: it cannot be started.
    """

    def __init__(
        self, python: str, script: Path, environment: Mapping[str, str]
    ) -> None:
        # open as long as the process is
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [python, "-u", str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._printed,
                env=dict(environment),
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            self._printed.close()
            raise HybridLMError(
                f"peer_python={python!r}: {error.strerror}; expected an interpreter\n"
                "docs/performance.md tells how to set one up"
            ) from None

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def ask(self, do: str, **message: Any) -> dict[str, Any]:
        """Send one command and return the answer.

        :raises HybridLMError: the command failed, or the worker ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"do": do, **message}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise HybridLMError(f"the peer's process ended at {do!r}\n{self._tail()}")
        reply: dict[str, Any] = json.loads(line)
        if not reply.pop("ok"):
            raise HybridLMError(
                f"the peer failed at {do!r}: {reply['error']}\n"
                "docs/performance.md tells how to set its interpreter up"
            )
        return reply

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        try:
            process.communicate(json.dumps({"do": "quit"}) + "\n", timeout=_PATIENCE)
        except (BrokenPipeError, subprocess.TimeoutExpired, ValueError):
            process.kill()
            process.communicate()
        self._printed.close()

    def _tail(self) -> str:
        self._printed.seek(0)
        return self._printed.read().decode(errors="replace")[-_SHOWN:].strip()
