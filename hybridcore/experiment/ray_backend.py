"""Runs cells on a Ray cluster: each worker loads the pair once.

Nothing has to be shared but the packages and the models: what a worker writes
travels back through Ray, and only this process writes into the run directory.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from ..errors import ArgumentError
from .cell import Cell
from .choice import Choice
from .environment import asked_once
from .evaluation import Evaluator, write_cell
from .experiment import Experiment
from .progress import ExperimentProgress
from .quiet import without_bars
from .run_directory import RunDirectory

Files = dict[str, bytes]


class Worker:
    """One process of the cluster; Ray makes it an actor."""

    def __init__(self, experiment: Experiment, threads: int) -> None:
        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        torch.set_num_threads(threads)
        self._stack = ExitStack()
        self._stack.enter_context(without_bars())
        self._stack.enter_context(asked_once())
        self._evaluator = Evaluator(experiment)

    def run(self, cell: Cell) -> tuple[str | None, Files]:
        """Run a cell; return why it failed, and its files."""
        with tempfile.TemporaryDirectory() as name:
            error = self._evaluator.run(cell, Path(name), ExperimentProgress())
            return error, packed(Path(name))

    def thresholds(self, choice: Choice, llm_only: Files) -> list[float]:
        """Choose thresholds; ``llm_only`` are the files of the LLM's cell."""
        with tempfile.TemporaryDirectory() as name:
            unpack(llm_only, Path(name))
            return self._evaluator.replaying().thresholds(choice, Path(name))


class RayBackend:
    """Spreads cells over workers; which worker runs a cell changes no number.

    :param workers: how many; each has ``gpus`` GPUs and one CPU.
    :param address: of a cluster; None is what Ray finds, or starts here.
    :raises ArgumentError: Ray is not installed, or has no room for the workers.
    """

    def __init__(
        self,
        experiment: Experiment,
        directory: RunDirectory,
        workers: int,
        gpus: float = 0,
        address: str | None = None,
    ) -> None:
        self._ray = imported()
        self._directory = directory
        if not self._ray.is_initialized():
            self._ray.init(address=address, log_to_driver=False, logging_level="error")
        self._refuse_too_many(workers, gpus)
        actor = self._ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=-1)(Worker)
        threads = max(1, torch.get_num_threads() // workers)
        self._workers = [actor.remote(experiment, threads) for _ in range(workers)]

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, str | None]]:
        """Run cells on whatever worker is free."""
        queue, free = list(cells), list(self._workers)
        running: dict[Any, tuple[Cell, Any]] = {}
        while queue or running:
            while queue and free:
                worker, cell = free.pop(0), queue.pop(0)
                running[worker.run.remote(cell)] = cell, worker
            (ready,), _ = self._ray.wait(list(running), num_returns=1)
            cell, worker = running.pop(ready)
            free.append(worker)
            yield cell, self._place(cell, ready)

    def thresholds(self, choice: Choice, llm_only: Path) -> list[float]:
        """Choose thresholds on one of the workers."""
        call = self._workers[0].thresholds.remote(choice, packed(llm_only))
        try:
            found: list[float] = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            raise error.as_instanceof_cause() from None
        return found

    def _place(self, cell: Cell, result: Any) -> str | None:
        folder = self._directory.begin(cell)
        try:
            error, files = self._ray.get(result)
            unpack(files, folder)
        except self._ray.exceptions.RayError as failure:
            # the worker is gone, or never came up; Ray starts another one
            error = f"worker lost: {str(failure).strip().splitlines()[0]}"
            write_cell(cell, folder, error)
        self._directory.finish(cell, folder)
        return None if error is None else str(error)

    def _refuse_too_many(self, workers: int, gpus: float) -> None:
        has = self._ray.cluster_resources()
        for name, each in (("CPU", 1.0), ("GPU", gpus)):
            if workers < 1 or workers * each > has.get(name, 0):
                raise ArgumentError(
                    f"workers={workers!r} with {each:g} {name} each: expected between "
                    f"1 and what the cluster has, {has.get(name, 0):g} {name}\n"
                    "lower --workers, or --gpus-per-worker"
                )


def imported() -> Any:
    """Return the module ``ray``.

    :raises ArgumentError: it is not installed.
    """
    try:
        import ray
    except ImportError:
        raise ArgumentError(
            "backend='ray': expected Ray to be installed\npip install 'hybridlm[ray]'"
        ) from None
    return ray


def packed(folder: Path) -> Files:
    """Return the files of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def unpack(files: Files, folder: Path) -> None:
    """Write files into a folder."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
