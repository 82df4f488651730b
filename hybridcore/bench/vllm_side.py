"""vLLM through lm_eval's own adapter, in its own interpreter."""

from __future__ import annotations

import argparse
import os
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch

from ..errors import ArgumentError
from ..harness.model_names import resolved
from .side import Pass, Side
from .worker_process import WorkerProcess
from .workload import Workload

ADAPTER = "lm_eval.models.vllm_causallms:VLLM"
_CACHE_GIB = 2
_NOTHING = nullcontext()


class VllmSide(Side):
    """Asks a worker, which times itself; its prefix cache is emptied before a pass."""

    exact = False

    def __init__(self, worker: WorkerProcess, name: str = "vLLM") -> None:
        self.name = name
        self._worker = worker
        self._workload: Workload | None = None

    def run(
        self, workload: Workload, watch: AbstractContextManager[Any] = _NOTHING
    ) -> Pass:
        """Answer every request with a cold prefix cache."""
        if workload is not self._workload:
            self._worker.ask("set", requests=[_plain(r) for r in workload.requests])
            self._workload = workload
        self._worker.ask("reset")
        with watch:
            reply = self._worker.ask("run")
        outputs = [tuple(o) if isinstance(o, list) else o for o in reply["outputs"]]
        return Pass(
            reply["seconds"], outputs, {"llm_tokens_processed": reply["tokens"]}
        )

    def process(self) -> int:
        """Return the worker's process: its children hold the model."""
        return self._worker.pid


def start_vllm(
    arguments: argparse.Namespace,
    stack: ExitStack,
    max_length: int,
    adapter: str = ADAPTER,
) -> VllmSide | None:
    """Load vLLM where it is asked for; ``stack`` ends it.

    :param max_length: the window, which must be ours.
    :raises ArgumentError: no interpreter was named.
    """
    if "vllm" not in arguments.peer:
        return None
    if arguments.peer_python is None:
        raise ArgumentError(
            "peer='vllm' needs an interpreter of its own: expected --peer-python PATH\n"
            "docs/performance.md tells how to set one up"
        )
    script = Path(__file__).with_name("vllm_worker.py")
    environment = worker_environment(arguments.device)
    worker = WorkerProcess(arguments.peer_python, script, environment)
    stack.enter_context(worker)
    worker.ask("load", adapter=adapter, arguments=_arguments(arguments, max_length))
    return VllmSide(worker)


def worker_environment(device: str) -> dict[str, str]:
    """Return the variables of the worker: ours without Python's, vLLM's for a CPU."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    # its threads are bound by its own variable
    kept.pop("OMP_NUM_THREADS", None)
    if not device.startswith("cpu"):
        return kept
    return kept | {
        "VLLM_CPU_KVCACHE_SPACE": str(_CACHE_GIB),
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "VLLM_CPU_OMP_THREADS_BIND": f"0-{torch.get_num_threads() - 1}",
    }


def _arguments(arguments: argparse.Namespace, max_length: int) -> dict[str, Any]:
    return {
        "pretrained": resolved("llm", arguments.llm),
        "dtype": arguments.dtype,
        "batch_size": "auto",
        "max_length": max_length,
    }


def _plain(request: Any) -> dict[str, Any]:
    return {
        "kind": request.request_type,
        "args": list(request.args),
        "task": request.task_name,
        "document": request.doc_id,
    }
