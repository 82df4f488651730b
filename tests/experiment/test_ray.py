"""``--backend ray`` on a local Ray of two workers, beside one process."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hybridcore.experiment import ray_backend

from .conftest import contents

ray = pytest.importorskip("ray", reason="the extra hybridlm[ray] is not installed")
LINE = ["sweep", "--points", "2", "--tasks", "hybrid_demo_choice", "--limit", "2"]
LINE += ["--resamples", "100", "--dtype", "float32", "--device", "cpu"]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error"
    )
    yield ray
    ray.shutdown()


class Dying(ray_backend.Worker):
    """Loses its process at one of the cells."""

    def run(self, cell):
        if cell.id == "slm-only":
            os._exit(1)
        return super().run(cell)


def test_workers_find_what_one_process_finds(hybridlm, tmp_path: Path) -> None:
    for name, more in (("one", []), ("many", ["--backend", "ray"])):
        code, _, err = hybridlm(*LINE, *more, "--output", str(tmp_path / name))
        assert code == 0, err
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_a_lost_worker_costs_one_cell(hybridlm, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ray_backend, "Worker", Dying)
    line = ["compare", "--strategies", "entropy", *LINE[3:], "--backend", "ray"]
    code, out, _ = hybridlm(*line, "--json", "--output", str(tmp_path / "run"))
    assert code == 1
    said = json.loads(out)
    assert list(said["failed"]) == ["slm-only"]
    assert said["failed"]["slm-only"].startswith("worker lost: ")
    assert [row["cell"] for row in said["rows"]][:3] == [
        "llm-only",
        "oracle",
        "entropy",
    ]


def test_errors_of_workers_are_ours(hybridlm, tmp_path: Path) -> None:
    line = ["sweep", "--strategy", "speculative", "--param", "num_drafts", *LINE[1:]]
    code, _, err = hybridlm(
        *line, "--backend", "ray", "--output", str(tmp_path / "run")
    )
    assert code == 1
    assert err.splitlines()[-2].startswith("error: points=2: speculative does not ask")


def test_more_workers_than_the_cluster_has(hybridlm, tmp_path: Path) -> None:
    line = [
        *LINE,
        "--backend",
        "ray",
        "--workers",
        "64",
        "--output",
        str(tmp_path / "run"),
    ]
    code, _, err = hybridlm(*line)
    assert code == 1
    assert "workers=64 with 1 CPU each: expected between 1 and" in err


def test_without_ray_there_is_a_line(hybridlm, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    code, _, err = hybridlm(
        *LINE, "--backend", "ray", "--output", str(tmp_path / "run")
    )
    assert code == 1
    assert "pip install 'hybridlm[ray]'" in err
