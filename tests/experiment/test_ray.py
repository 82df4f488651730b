"""``--backend ray`` on a local Ray of two workers, beside one process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hybridcore.errors import ArgumentError
from hybridcore.experiment import ray_backend
from hybridcore.experiment.choice import Choice
from hybridcore.experiment.experiment import Experiment
from hybridcore.experiment.run_directory import RunDirectory

from .conftest import contents

ray = pytest.importorskip("ray", reason="the extra hybridlm[ray] is not installed")
LINE = ["sweep", "--points", "2", "--tasks", "hybrid_demo_choice", "--limit", "2"]
# packing is decided by a measurement, and changes the last digits
LINE += ["--resamples", "100", "--device", "cpu", "--model-args", "pack=false"]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error"
    )
    yield ray
    ray.shutdown()


def test_workers_find_what_one_process_finds(hybridlm, tmp_path: Path) -> None:
    for name, more in (("one", []), ("many", ["--backend", "ray"])):
        code, _, err = hybridlm(*LINE, *more, "--output", str(tmp_path / name))
        assert code == 0, err
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


@pytest.fixture
def backend(tmp_path: Path, monkeypatch):
    """A worker that loads nothing, and fails where its cell says so."""

    class Light:
        def __init__(self, experiment, threads):
            self.pid = os.getpid()

        def run(self, cell):
            if cell.label == "dies":
                os._exit(1)
            error = "planted" if cell.label == "fails" else None
            return error, {"cell.json": json.dumps({"pid": self.pid}).encode()}

        def thresholds(self, choice, llm_only):
            raise ArgumentError(f"planted for {choice} beside {sorted(llm_only)}")

    monkeypatch.setattr(ray_backend, "Worker", Light)
    experiment = Experiment("compare", {}, (Choice("entropy"),))
    directory = RunDirectory(tmp_path / "run", experiment, "hybridlm")
    return ray_backend.RayBackend(None, directory, workers=1), directory


def light(label: str) -> SimpleNamespace:
    """A cell that a worker can be sent without importing torch there."""
    return SimpleNamespace(id=label, label=label, as_dict=dict)


def test_a_lost_worker_costs_one_cell(backend) -> None:
    runs, directory = backend
    asked = [light(label) for label in ("a", "dies", "b", "fails", "c")]
    found = {cell.label: error for cell, error in runs.run(asked)}
    assert found.pop("dies").startswith("worker lost: ")
    assert found == {"a": None, "b": None, "c": None, "fails": "planted"}
    lost = json.loads((directory.folder("dies") / "cell.json").read_text())
    assert lost["status"] == "failed"
    first, second, third = (
        json.loads((directory.folder(name) / "cell.json").read_text())["pid"]
        for name in "abc"
    )
    # another process took the place of the one that was lost
    assert first != second == third
    assert os.getpid() not in (first, second)


def test_errors_of_workers_are_ours(backend, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="planted for x beside"):
        backend[0].thresholds("x", tmp_path / "run" / "cells")


def test_more_workers_than_the_cluster_has(hybridlm, tmp_path: Path) -> None:
    line = [*LINE, "--backend", "ray", "--output", str(tmp_path / "run")]
    code, _, err = hybridlm(*line, "--workers", "64")
    assert code == 1
    assert "workers=64 with 1 CPU each: expected between 1 and" in err


def test_without_ray_there_is_a_line(hybridlm, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    line = [*LINE, "--backend", "ray", "--output", str(tmp_path / "run")]
    code, _, err = hybridlm(*line)
    assert code == 1
    assert "pip install 'hybridlm[ray]'" in err
