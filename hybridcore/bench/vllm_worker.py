"""Runs in vLLM's own interpreter: lm_eval's adapter, told what to do line by line.

Started by file path; it imports nothing of this package, which is not installed
there. Every line on stdin is a JSON object with ``do``, every answer is one line on
stdout with ``ok``. Whatever else is printed goes to stderr.

======== ======================================== ================================
do       gets                                     answers
======== ======================================== ================================
load     adapter ``module:Class``, arguments      versions
set      requests (kind, args, task, document)    number of requests
run                                               seconds, outputs, tokens, calls
reset                                             whether there was a cache to empty
quit
======== ======================================== ================================
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any


class Worker:
    """One loaded model and the requests it is asked."""

    def __init__(self) -> None:
        self.lm: Any = None
        self.requests: dict[str, list[Any]] = {}
        self.tokens: int | None = None

    def load(self, adapter: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Load a model; count its tokens where it is vLLM's."""
        module, _, name = adapter.partition(":")
        kind = getattr(importlib.import_module(module), name)
        self.lm = kind(**arguments)
        if hasattr(self.lm.model, "reset_prefix_cache"):
            generate = self.lm.model.generate
            self.lm.model.generate = lambda *a, **k: self.counted(generate(*a, **k))
        return {"versions": {n: found(n) for n in ("vllm", "torch", "lm_eval")}}

    def set(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        """Take the requests of the passes to come."""
        from lm_eval.api.instance import Instance

        self.requests = {}
        for number, request in enumerate(requests):
            instance = Instance(
                request_type=request["kind"],
                doc={},
                arguments=tuple(request["args"]),
                idx=number,
                metadata=(request["task"], request["document"], 1),
            )
            self.requests.setdefault(request["kind"], []).append(instance)
        return {"requests": len(requests)}

    def run(self) -> dict[str, Any]:
        """Answer all requests once."""
        self.tokens = None
        outputs: list[Any] = []
        start = time.perf_counter()
        for kind, requests in self.requests.items():
            outputs += getattr(self.lm, kind)(list(requests), disable_tqdm=True)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "outputs": outputs, "tokens": self.tokens}

    def reset(self) -> dict[str, Any]:
        """Empty the prefix cache."""
        empty = getattr(self.lm.model, "reset_prefix_cache", None)
        if empty is None:
            return {"emptied": False}
        if empty() is False:
            raise RuntimeError("vLLM could not empty its prefix cache")
        return {"emptied": True}

    def counted(self, results: Any) -> Any:
        """Count prompt tokens that no cache held, and all but the last emitted."""
        read = sum(
            len(result.prompt_token_ids or ()) - (result.num_cached_tokens or 0)
            for result in results
        )
        written = sum(len(o.token_ids) - 1 for r in results for o in r.outputs)
        self.tokens = (self.tokens or 0) + read + written
        return results


def found(name: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def answer(worker: Worker, message: dict[str, Any]) -> dict[str, Any]:
    """Do what a message says."""
    do = message.pop("do", None)
    if do not in ("load", "set", "run", "reset"):
        raise ValueError(f"unknown command {do!r}")
    return getattr(worker, do)(**message)


def main() -> None:
    """Answer one line after the other until ``quit``."""
    # libraries print to stdout; the answers keep a copy of it to themselves
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("do") == "quit":
            break
        try:
            reply = {"ok": True, **answer(worker, message)}
        except Exception as error:
            reply = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


# vLLM starts processes that import this file again
if __name__ == "__main__":
    main()
