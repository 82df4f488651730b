"""Bad input gets one clear line and an exit code, before a model runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hybridcore import HybridLM
from hybridcore.cli import main
from hybridcore.experiment.evaluation import Evaluator

from .conftest import share

TASK = "hybrid_demo_choice"
LINE = ["compare", "--strategies", "entropy", "--tasks", TASK, "--limit", "1"]


@pytest.fixture
def refused(hybridlm, monkeypatch):
    """Run a command that must stop before any model; return what it says."""

    def never(self):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(Evaluator, "_model", never)

    def run(*arguments: str) -> str:
        code, out, err = hybridlm(*arguments)
        assert code == 1
        assert out == ""
        assert err.startswith("error: ")
        assert "Traceback" not in err
        return err

    return run


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--tasks", "hybrid_demo_choic", "--include-path", "{}"], "did you mean"),
        (["--include-path", "{}/none"], "expected a folder"),
        (["--metric", "f1"], "has no metric 'f1'\nits metrics: acc"),
        (["--metric", f"{TASK}=ac"], "has no metric 'ac'; did you mean 'acc'?"),
        (["--metric", "hybrid_demo=acc"], "metric of 'hybrid_demo': no such task here"),
        (["--strategies", "entopy"], "did you mean 'entropy'?"),
        (["--strategies", ""], "expected at least one name"),
        (["--strategies", "threshold=1"], "expected a name before"),
        (["--model-args", "strategy=entropy"], "expected none here"),
        (["--config", "{}/none.toml"], "cannot be read"),
        (["--output", "{}/file/run"], "cannot be made"),
    ],
)
def test_arguments(refused, tmp_path: Path, monkeypatch, more, message) -> None:
    # lm_eval's own tasks take a while to index, and none of them is meant here
    monkeypatch.setattr("lm_eval.tasks.manager.TaskIndex.build", _demo_alone())
    (tmp_path / "file").write_text("")
    line = [*LINE, "--output", str(tmp_path / "run")]
    assert message in refused(*line, *(text.format(tmp_path) for text in more))


def _demo_alone():
    from lm_eval.tasks._index import TaskIndex

    build = TaskIndex.build

    def build_demo(paths):
        return build([p for p in paths if "lm_eval" not in str(p)])

    return staticmethod(build_demo)


def test_a_task_without_documents(refused, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("")
    (tmp_path / "empty.yaml").write_text(
        "task: empty_task\ndataset_path: json\noutput_type: generate_until\n"
        f"dataset_kwargs: {{data_files: {{test: {tmp_path}/data.jsonl}}}}\n"
        "test_split: test\ncustom_dataset: !function empty.load\n"
        "doc_to_text: q\ndoc_to_target: a\n"
        "metric_list: [{metric: exact_match}]\n"
    )
    (tmp_path / "empty.py").write_text(
        "from datasets import Dataset, DatasetDict\n"
        "def load(**_):\n"
        "    return DatasetDict(test=Dataset.from_dict({'q': [], 'a': []}))\n"
    )
    said = refused(
        *LINE,
        "--tasks",
        "empty_task",
        "--include-path",
        str(tmp_path),
        "--output",
        str(tmp_path / "r"),
    )
    assert said.startswith("error: task 'empty_task' has no documents")


@pytest.fixture(scope="module")
def one(pair: HybridLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a single document."""
    path = tmp_path_factory.mktemp("one") / "run"
    with pytest.MonkeyPatch.context() as patch:
        share(pair, patch)
        assert main([*LINE, "--no-report", "--output", str(path)]) == 0
    return path


def test_one_document_says_that_it_has_no_interval(one: Path, hybridlm) -> None:
    code, out, _ = hybridlm(*LINE, "--output", str(one))
    assert code == 0
    assert "entropy: one document: no interval" in out
    for row in json.loads((one / "summary.json").read_text()):
        assert row["note"] == "one document: no interval"
        assert row["low"] is row["share_high"] is row["difference_low"] is None
        assert row["value"] is not None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run / "run.json").unlink(), "is no run directory"),
        (
            lambda run: (run / "run.json").write_text('{"format": '),
            "is no run directory",
        ),
        (
            lambda run: (run / "run.json").write_text('{"format": 99}'),
            "of format 99: expected 1",
        ),
        (lambda run: (run / "run.json").write_text("[]"), "is no run directory"),
        (lambda run: (run / "experiment.toml").write_text("kind ="), "is not TOML"),
        (lambda run: (run / "experiment.toml").unlink(), "cannot be read"),
    ],
)
def test_directories(one: Path, refused, tmp_path: Path, spoil, message) -> None:
    run = tmp_path / "run"
    shutil.copytree(one, run)
    spoil(run)
    assert message in refused(*LINE, "--output", str(run))


def test_a_directory_of_another_experiment(one: Path, refused) -> None:
    said = refused(*LINE, "--seed", "9", "--output", str(one))
    assert "holds another experiment: seed is 1234 there and 9 here" in said
    assert "--output" in said


def test_a_config_of_the_other_command(one: Path, refused, tmp_path: Path) -> None:
    copy = str(one / "experiment.toml")
    assert "is of kind 'compare': expected 'sweep'" in refused(
        "sweep", "--config", copy
    )


def test_a_damaged_cell_is_run_again(
    one: Path, hybridlm, tmp_path: Path, caplog
) -> None:
    run = tmp_path / "run"
    shutil.copytree(one, run)
    (run / "cells" / "entropy" / "cell.json").write_text('{"id": "ent')
    code, _, _ = hybridlm(*LINE, "--output", str(run))
    assert code == 0
    assert "is damaged: its cell is run again" in caplog.text
    assert (
        json.loads((run / "cells" / "entropy" / "cell.json").read_text())["status"]
        == "done"
    )


@pytest.mark.parametrize(
    "name", ["results.json", "trace.jsonl", f"samples_{TASK}.jsonl"]
)
def test_a_damaged_file_is_named(one: Path, refused, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(one, run)
    (run / "cells" / "entropy" / name).write_text('{"half": ')
    said = refused(*LINE, "--output", str(run))
    assert f"entropy/{name}' cannot be read" in said
    assert "delete the cell's folder to have it run again" in said


@pytest.mark.parametrize(
    ("command", "more", "said"),
    [
        ("compare", ["--limit", "3"], "limit=3"),
        ("compare", ["--seed", "1234"], "seed=1234"),
        ("compare", ["--strategies", "entropy"], "strategies='entropy'"),
        ("compare", ["--resamples", "200"], "resamples=200"),
        ("compare", ["--random-points", "0"], "random_points=0"),
        ("compare", ["--slm", "x"], "slm='x'"),
        ("compare", ["--apply-chat-template"], "apply_chat_template=True"),
        ("sweep", ["--points", "3"], "points=3"),
        ("sweep", ["--param", "threshold=1,2"], "param=['threshold=1,2']"),
        ("sweep", ["--strategy", "uncertainty"], "strategy='uncertainty'"),
    ],
)
def test_what_a_config_says_is_not_said_twice(
    refused, tmp_path: Path, command, more, said
) -> None:
    path = tmp_path / "e.toml"
    path.write_text(
        f'kind = "{command}"\npair = {{ slm = "demo-slm", llm = "demo-llm" }}\n'
        '[[strategies]]\nname = "entropy"\n'
    )
    line = [command, "--config", str(path), *more, "--output", str(tmp_path / "run")]
    assert f"error: {said} beside config='{path}': expected it in" in refused(*line)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "command", [["certify"], ["calibrate", "--target-llm-share", "0.5"]]
)
def test_a_second_strategy_is_refused(refused, command) -> None:
    said = refused(*command, "--strategy", "speculative,entropy")
    assert "strategy 'speculative,entropy': expected one, got 2" in said
