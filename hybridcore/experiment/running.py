"""Runs an experiment as a command: quiet around, progress inside, tables behind."""

from __future__ import annotations

import argparse
import json
import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .backend import Backend, Local
from .environment import asked_once
from .evaluation import Evaluator
from .experiment import Experiment
from .plain_json import plain
from .progress import ExperimentProgress
from .quiet import without_bars
from .run import Outcome, Run
from .run_directory import RunDirectory
from .table import print_tables

if TYPE_CHECKING:
    from .ray_backend import RayBackend

# from a run directory to its page, if there is one, and a line on it
PageOf = Callable[[Path], "tuple[str | None, str]"]


def run_experiment(
    experiment: Experiment, arguments: argparse.Namespace, page_of: PageOf
) -> int:
    """Run, print and return the exit code: 1 where a cell failed."""
    path = arguments.output or new_path(experiment.kind)
    page, line = None, ""
    with session() as progress, ExitStack() as stack:
        evaluator = Evaluator(experiment)
        command = shlex.join(["hybridlm", *arguments.argv])
        directory = RunDirectory(path, experiment, command)
        backend: Backend = Local(evaluator, directory, progress)
        if arguments.backend == "ray":
            backend = stack.enter_context(_ray(experiment, directory, arguments))
        outcome = Run(experiment, directory, evaluator.tasks, backend, progress)()
        if arguments.report:
            page, line = page_of(path)
    if arguments.json:
        said = {"run": str(path), "report": page, **vars(outcome)}
        print(json.dumps(plain(said), indent=2))
    else:
        _print(outcome, experiment)
        print("\n".join(filter(None, [f"run directory: {path}", line])))
    return int(bool(outcome.failed))


@contextmanager
def session() -> Iterator[ExperimentProgress]:
    """Silence others, and keep what they print out of what is reported."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(sys.stderr))
        stack.enter_context(without_bars())
        stack.enter_context(asked_once())
        stack.callback(logger.setLevel, before)
        logger.setLevel(logging.ERROR)
        yield stack.enter_context(ExperimentProgress())


def new_path(kind: str) -> Path:
    """Return a run directory named for this moment."""
    return Path("runs") / f"{kind}-{datetime.now():%Y%m%d-%H%M%S}"


def _ray(
    experiment: Experiment, directory: RunDirectory, arguments: argparse.Namespace
) -> closing[RayBackend]:
    from .ray_backend import RayBackend

    gpus = arguments.gpus_per_worker
    if gpus is None:
        gpus = float(torch.cuda.is_available())
    address = arguments.ray_address
    return closing(RayBackend(experiment, directory, arguments.workers, gpus, address))


def _print(outcome: Outcome, experiment: Experiment) -> None:
    print_tables(outcome.rows, outcome.curves, experiment.confidence)
    for label, error in outcome.failed.items():
        print(f"{label} failed: {error}")
