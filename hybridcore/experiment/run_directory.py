"""A folder that holds an experiment and everything it measured.

    experiment.toml                   the experiment, complete, to be run again
    run.json                          format, versions, seed, pair, tasks, command
    cells/<id>/cell.json              what ran, and whether it failed
    cells/<id>/results.json           lm_eval's results
    cells/<id>/samples_<task>.jsonl   lm_eval's logged samples
    cells/<id>/trace.jsonl            every request, token by token
    thresholds.json                   those chosen for --points
    summary.json, summary.csv         one row for each cell and task
    curves.json                       one entry for each family of cells and task

A cell is written in a temporary folder and renamed when it is complete, so a killed
run loses nothing but the cell in flight.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from .. import __version__
from ..errors import ArgumentError
from ..whole_file import new_name, write_whole
from .cell import Cell
from .experiment import Experiment
from .experiment_file import as_toml, read_experiment

logger = logging.getLogger(__name__)

FORMAT = 1
_UNFINISHED = ".unfinished-"
_VERSIONS = ("torch", "transformers", "lm_eval", "numpy", "scipy")


class RunDirectory:
    """The folder of one experiment, new or taken up again.

    :raises ArgumentError: the folder holds something else, or another experiment.
    """

    def __init__(self, path: Path, experiment: Experiment, command: str) -> None:
        self.path = path
        self._cells = path / "cells"
        if _is_new(path):
            self._create(experiment, command)
        else:
            check_format(path)
            _check_same(path, experiment)
        self._cells.mkdir(exist_ok=True)
        for left in self._cells.glob(f"{_UNFINISHED}*"):
            if _is_abandoned(left):
                shutil.rmtree(left)

    def done(self) -> dict[str, dict[str, Any]]:
        """Return ``cell.json`` of every cell that is finished, by id."""
        found = {}
        for path in sorted(self._cells.glob("*/cell.json")):
            try:
                said = json.loads(path.read_text(encoding="utf-8"))
                if said["status"] == "done":
                    found[path.parent.name] = said
            except (ValueError, KeyError, TypeError):
                logger.warning("%s is damaged: its cell is run again", path)
        return found

    def folder(self, cell: str) -> Path:
        """Return the folder of a finished cell."""
        return self._cells / cell

    def begin(self, cell: Cell) -> Path:
        """Return an empty folder to fill."""
        folder = self._cells / f"{_UNFINISHED}{cell.id}-{os.getpid()}"
        folder.mkdir()
        return folder

    def finish(self, cell: Cell, folder: Path) -> None:
        """Put a filled folder in place, where an earlier failure may lie."""
        shutil.rmtree(self._cells / cell.id, ignore_errors=True)
        folder.rename(self._cells / cell.id)

    def read(self, name: str) -> Any:
        """Return what a JSON file of the run says, None where there is none."""
        path = self.path / name
        if not path.exists():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArgumentError(
                f"{str(path)!r} cannot be read: {error}\n"
                "delete it to have it made again"
            ) from None

    def write(self, name: str, text: str) -> None:
        """Write a file of the run, whole or not at all."""
        write_whole(self.path / name, text)

    def _create(self, experiment: Experiment, command: str) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArgumentError(
                f"output={str(self.path)!r} cannot be made: {error}\nname another"
            ) from None
        # one that is there may be its author's own
        if (self.path / "experiment.toml").exists():
            _check_same(self.path, experiment)
        else:
            self.write("experiment.toml", as_toml(experiment))
        self.write("run.json", json.dumps(_described(experiment, command), indent=2))


def check_format(path: Path) -> None:
    """Raise :class:`ArgumentError` where ``path`` is no run directory of ours."""
    try:
        said = json.loads((path / "run.json").read_text(encoding="utf-8"))
        version = said["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ArgumentError(
            f"{str(path)!r} is no run directory: expected a run.json with a format\n"
            "name another folder, or delete this one"
        ) from None
    if version != FORMAT:
        raise ArgumentError(
            f"{str(path)!r} is a run directory of format {version!r}: expected {FORMAT}"
            "\nname another folder"
        )


def _is_new(path: Path) -> bool:
    """Whether nothing is there but what a run writes first, and may be killed at."""
    if not path.exists():
        return True
    first = path / "experiment.toml"
    known = {first, new_name(first), new_name(path / "run.json")}
    return path.is_dir() and known.issuperset(path.iterdir())


def _is_abandoned(folder: Path) -> bool:
    """Whether no other process is filling a folder: its name ends in who does."""
    pid = folder.name.rpartition("-")[2]
    alive = pid.isdecimal() and int(pid) != os.getpid() and psutil.pid_exists(int(pid))
    return not alive


def _check_same(path: Path, experiment: Experiment) -> None:
    there = read_experiment(path / "experiment.toml")
    for name, value in vars(experiment).items():
        if getattr(there, name) != value:
            raise ArgumentError(
                f"{str(path)!r} holds another experiment: {name} is "
                f"{getattr(there, name)!r} there and {value!r} here\n"
                "name another folder with --output"
            )


def _described(experiment: Experiment, command: str) -> Mapping[str, Any]:
    versions = {name: metadata.version(name) for name in _VERSIONS}
    return {
        "format": FORMAT,
        "kind": experiment.kind,
        "versions": {
            "hybridlm": __version__,
            "python": sys.version.split()[0],
            **versions,
        },
        "seed": experiment.seed,
        "pair": {role: str(experiment.pair.get(role)) for role in ("slm", "llm")},
        "tasks": list(experiment.tasks),
        "command": command,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
