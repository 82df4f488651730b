"""Run directories of processes that were killed, and of others still at work."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hybridcore.errors import ArgumentError
from hybridcore.experiment.cell import cell_of
from hybridcore.experiment.choice import Choice
from hybridcore.experiment.experiment import DEMO, Experiment
from hybridcore.experiment.run_directory import RunDirectory

EXPERIMENT = Experiment("compare", DEMO, (Choice("entropy"),)).checked()
OTHER = replace(EXPERIMENT, seed=9)


def taken_up(path: Path, experiment: Experiment = EXPERIMENT) -> RunDirectory:
    return RunDirectory(path, experiment, "hybridlm compare")


class Killed(Exception):
    """In place of a SIGKILL."""


def killed_before(path: Path, rename: int, monkeypatch) -> None:
    """Begin a run that dies before one of its files takes its name."""
    replaced, count = Path.replace, [0]

    def dying(self, target):
        count[0] += 1
        if count[0] > rename:
            raise Killed
        return replaced(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        with pytest.raises(Killed):
            taken_up(path)
    assert not (path / "run.json").exists()


@pytest.mark.parametrize("rename", [0, 1])
def test_a_run_killed_as_it_began_is_begun_again(tmp_path, monkeypatch, rename) -> None:
    path = tmp_path / "run"
    killed_before(path, rename, monkeypatch)
    left = {entry.name for entry in path.iterdir()}
    assert (
        left
        == [
            {".experiment.toml.new"},
            {"experiment.toml", ".run.json.new"},
        ][rename]
    )
    assert taken_up(path).done() == {}
    assert {entry.name for entry in path.iterdir()} == {
        "experiment.toml",
        "run.json",
        "cells",
    }
    with pytest.raises(ArgumentError, match="holds another experiment: seed"):
        taken_up(path, OTHER)


def test_what_was_begun_is_not_made_another_experiment(tmp_path, monkeypatch) -> None:
    killed_before(tmp_path / "run", 1, monkeypatch)
    with pytest.raises(ArgumentError, match="holds another experiment: seed"):
        taken_up(tmp_path / "run", OTHER)


def test_an_experiment_that_its_author_put_there_stays_as_it_is(tmp_path) -> None:
    text = 'kind = "compare" # mine\n[pair]\nslm = "demo-slm"\nllm = "demo-llm"\n'
    text += '[[strategies]]\nname = "entropy"\n'
    (tmp_path / "experiment.toml").write_text(text)
    taken_up(tmp_path)
    assert (tmp_path / "experiment.toml").read_text() == text
    taken_up(tmp_path)


@pytest.mark.parametrize("name", ["notes.txt", "cells", ".hidden"])
def test_a_folder_of_other_things_is_refused(tmp_path, name) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ArgumentError, match="is no run directory"):
        taken_up(tmp_path)


@pytest.fixture
def stranger():
    """Another process, alive."""
    line = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    process = subprocess.Popen(line, stdin=subprocess.PIPE)
    yield process
    process.communicate()


def test_a_cell_that_another_process_is_filling_is_left_alone(
    tmp_path, stranger
) -> None:
    directory = taken_up(tmp_path / "run")
    own = directory.begin(cell_of("entropy", {}))
    head = own.name.removesuffix(str(os.getpid()))
    assert head != own.name
    theirs = own.with_name(f"{head}{stranger.pid}")
    odd = own.with_name(f"{head}x")
    theirs.mkdir()
    odd.mkdir()
    taken_up(tmp_path / "run")
    assert [entry.name for entry in own.parent.iterdir()] == [theirs.name]
    stranger.communicate()
    taken_up(tmp_path / "run")
    assert not list(own.parent.iterdir())
