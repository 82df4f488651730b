"""``--backend ray`` on a local Ray of two workers, beside one process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hybridcore.errors import ArgumentError
from hybridcore.experiment import ray_backend, ray_crew
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
    for left in (2, 1, 0):
        try:
            ray.init(
                num_cpus=2,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
            )
            break
        except Exception:
            # Ray gives its own processes half a minute, little on a busy machine
            ray.shutdown()
            if not left:
                raise
    yield ray
    ray.shutdown()


def test_workers_find_what_one_process_finds(hybridlm, pair, tmp_path: Path) -> None:
    # results name the runners that were made, and other tests may have made some
    pair.pair.forget()
    for name, more in (("one", []), ("many", ["--backend", "ray"])):
        code, _, err = hybridlm(*LINE, *more, "--output", str(tmp_path / name))
        assert code == 0, err
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


@pytest.fixture
def started(tmp_path: Path, monkeypatch):
    """``started(workers)``: workers that load nothing, and die where cells say so."""
    marks = tmp_path / "marks"
    marks.mkdir()
    backends = []

    class Light:
        def __init__(self, experiment, threads):
            if experiment == "broken":
                raise ArgumentError("planted at the start")

        def run(self, cell):
            mark = marks / cell.label
            again = mark.exists()
            if cell.label == "dies" or (cell.label == "dies once" and not again):
                mark.touch()
                os._exit(1)
            if cell.label == "raises":
                raise ZeroDivisionError("planted in a worker")
            error = "planted" if cell.label == "fails" else None
            return error, {"cell.json": json.dumps({"pid": os.getpid()}).encode()}

        def thresholds(self, choice, llm_only):
            raise ArgumentError(f"planted for {choice} beside {sorted(llm_only)}")

    monkeypatch.setattr(ray_backend, "Worker", Light)
    experiment = Experiment("compare", {}, (Choice("entropy"),))
    directory = RunDirectory(tmp_path / "run", experiment, "hybridlm")

    def start(workers=1, experiment=None):
        backends.append(ray_backend.RayBackend(experiment, directory, workers))
        return backends[-1], directory

    yield start
    for backend in backends:
        backend.close()


def light(label: str) -> SimpleNamespace:
    """A cell that a worker can be sent without importing torch there."""
    return SimpleNamespace(id=label, label=label, as_dict=dict)


def ran(backend, *labels: str) -> dict[str, str | None]:
    cells = backend.run([light(label) for label in labels])
    return {cell.label: error for cell, error in cells}


def said(directory, name: str):
    return json.loads((directory.folder(name) / "cell.json").read_text())


def test_a_lost_worker_costs_its_cell_at_most(started) -> None:
    backend, directory = started(2)
    found = ran(backend, "a", "dies", "b", "fails", "dies once", "raises", "c")
    assert found.pop("dies").startswith("worker lost: The actor died unexpectedly")
    assert "planted in a worker" in found.pop("raises")
    assert found.pop("fails") == "planted"
    # it was given to another worker, as all the rest
    assert found == {"a": None, "b": None, "c": None, "dies once": None}
    assert said(directory, "dies")["status"] == "failed"
    pids = {said(directory, name)["pid"] for name in ("a", "b", "c", "dies once")}
    assert os.getpid() not in pids


def test_workers_that_cannot_start_say_why(started) -> None:
    backend, _ = started(2, "broken")
    found = ran(backend, "a", "b", "c")
    assert set(found) == {"a", "b", "c"}
    for error in found.values():
        assert error.startswith("worker lost: ")
        assert "planted at the start" in error


def test_a_cluster_without_room_is_not_waited_for_for_ever(
    started, monkeypatch
) -> None:
    monkeypatch.setattr(ray_crew, "PATIENCE", 0.5)

    @ray.remote(num_cpus=2)
    class Other:
        pass

    other = Other.remote()
    ray.get(other.__ray_ready__.remote())
    try:
        backend, directory = started()
        found = ran(backend, "a", "b")
    finally:
        ray.kill(other)
    assert set(found) == {"a", "b"}
    assert found["a"].startswith("worker lost: no worker came up within 0.5 s")
    assert said(directory, "a")["status"] == "failed"


def test_workers_end_with_their_backend(started) -> None:
    for _ in range(2):  # no room for two of these at once
        backend, _ = started(2)
        assert ran(backend, "a") == {"a": None}
        backend.close()


def test_errors_of_workers_are_ours(started, tmp_path: Path) -> None:
    backend, _ = started()
    with pytest.raises(ArgumentError, match="planted for x beside"):
        backend.thresholds("x", tmp_path / "run" / "cells")


def test_more_workers_than_the_cluster_has(hybridlm, tmp_path: Path) -> None:
    line = [*LINE, "--backend", "ray", "--output", str(tmp_path / "run")]
    code, _, err = hybridlm(*line, "--workers", "64")
    assert code == 1
    assert "workers=64 with 1 CPU each: expected between 1 and" in err


def test_a_cluster_that_is_not_there(monkeypatch) -> None:
    def init(**settings):
        assert settings["address"] == "nowhere:1"
        raise ConnectionError("planted\nand more")

    gone = SimpleNamespace(is_initialized=bool, init=init, shutdown=lambda: None)
    monkeypatch.setattr(ray_backend, "imported", lambda: gone)
    with pytest.raises(ArgumentError, match="no Ray at 'nowhere:1': planted\n"):
        ray_backend.RayBackend(None, None, 1, address="nowhere:1")


def test_without_ray_there_is_a_line(hybridlm, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    line = [*LINE, "--backend", "ray", "--output", str(tmp_path / "run")]
    code, _, err = hybridlm(*line)
    assert code == 1
    assert "pip install 'hybridlm[ray]'" in err
