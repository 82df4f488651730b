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

from ..errors import ArgumentError, HybridLMError
from .cell import Cell
from .choice import Choice
from .environment import asked_once
from .evaluation import Evaluator, write_cell
from .experiment import Experiment
from .progress import ExperimentProgress
from .quiet import without_bars
from .ray_crew import Crew, Done, Job
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
    :raises ArgumentError: Ray is not installed, cannot be had, or has no room for the
        workers.
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
        self._ours = not self._ray.is_initialized()
        if self._ours:
            _connect(self._ray, address)
        self._refuse_too_many(workers, gpus)
        actor = self._ray.remote(num_cpus=1, num_gpus=gpus)(Worker)
        threads = max(1, torch.get_num_threads() // workers)
        self._crew = Crew(self._ray, lambda: actor.remote(experiment, threads), workers)

    def run(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, str | None]]:
        """Run cells on whatever worker is free."""
        by_name = {cell.id: cell for cell in cells}
        jobs = [Job(name, "run", (cell,)) for name, cell in by_name.items()]
        for job, done in self._crew.run(jobs):
            cell = by_name[job.name]
            yield cell, self._place(cell, done)

    def thresholds(self, choice: Choice, llm_only: Path) -> list[float]:
        """Choose thresholds on one of the workers."""
        job = Job("thresholds", "thresholds", (choice, packed(llm_only)))
        ((_, done),) = self._crew.run([job])
        if isinstance(done.error, HybridLMError):
            raise done.error from None
        if done.error is not None:
            raise ArgumentError(f"thresholds: {_lost(done.error)}") from None
        found: list[float] = done.value
        return found

    def close(self) -> None:
        """End the workers, and Ray where it was started for them."""
        self._crew.dismiss()
        if self._ours:
            self._ray.shutdown()

    def _place(self, cell: Cell, done: Done) -> str | None:
        folder = self._directory.begin(cell)
        if done.error is not None:
            error: str | None = _lost(done.error)
            write_cell(cell, folder, error)
        else:
            error, files = done.value
            unpack(files, folder)
        self._directory.finish(cell, folder)
        return error

    def _refuse_too_many(self, workers: int, gpus: float) -> None:
        has = self._ray.cluster_resources()
        for name, each in (("CPU", 1.0), ("GPU", gpus)):
            if workers < 1 or workers * each > has.get(name, 0):
                raise ArgumentError(
                    f"workers={workers!r} with {each:g} {name} each: expected between "
                    f"1 and what the cluster has, {has.get(name, 0):g} {name}\n"
                    "lower --workers, or --gpus-per-worker"
                )


def _connect(ray: Any, address: str | None) -> None:
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except Exception as error:  # it raises what its parts raise
        ray.shutdown()
        where = "here" if address is None else f"at {address!r}"
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ArgumentError(
            f"no Ray {where}: {lines[0]}\nname a cluster with --ray-address, or leave "
            "it out to have one started; on a busy machine try again"
        ) from None


def _lost(error: Exception) -> str:
    """Return why a worker is gone; of a traceback what it ends in."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ends = f": {lines[-1]}" if len(lines) > 1 else ""
    return f"worker lost: {lines[0] if lines else type(error).__name__}{ends}"


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
