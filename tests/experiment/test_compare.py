"""``hybridlm compare`` on the embedded pair, from the command line to the files."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from hybridcore import HybridLM
from hybridcore.cli import main
from hybridcore.experiment.evaluation import Evaluator
from hybridcore.experiment.progress import ExperimentProgress

from .conftest import contents, share

TASK = "hybrid_demo_generation"
SMALL = ["--tasks", TASK, "--limit", "3", "--resamples", "100", "--seed", "7"]
SMALL += ["--gen-kwargs", "max_gen_toks=24"]
LINE = ["compare", "--strategies", "entropy:threshold=0.5,speculative", *SMALL]


@pytest.fixture(scope="module")
def finished(pair: HybridLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of one run that nothing interrupted."""
    path = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        share(pair, patch)
        assert main([*LINE, "--output", str(path)]) == 0
    return path


def test_the_baselines_are_always_there(finished: Path) -> None:
    rows = json.loads((finished / "summary.json").read_text())
    roles = [row["role"] for row in rows]
    assert roles == [
        "slm-only",
        "llm-only",
        "oracle",
        "candidate",
        "candidate",
        "random",
    ]
    slm, llm, oracle, entropy, speculative, random = rows
    assert (slm["llm_share"], llm["llm_share"]) == (0.0, 1.0)
    assert 0 < entropy["llm_share"] < 1
    # what is not routed has no share that random could have
    assert random["options"]["fraction"] == pytest.approx(
        entropy["llm_share"], abs=1e-6
    )
    assert entropy["over_random"] == pytest.approx(entropy["value"] - random["value"])
    gap = entropy["llm_share"] - random["llm_share"]
    assert entropy["share_over_random"] == pytest.approx(gap)
    assert speculative["over_random"] is None
    assert speculative["difference"] == llm["difference"] == 0.0
    assert oracle["difference"] == 0.0
    assert {row["documents"] for row in rows} == {3}


def test_a_cell_has_what_lm_eval_gives(finished: Path) -> None:
    cell = finished / "cells" / "entropy-threshold=0.5"
    assert json.loads((cell / "cell.json").read_text()) == {
        "id": "entropy-threshold=0.5",
        "label": "entropy threshold=0.5",
        "strategy": "entropy",
        "options": {"threshold": 0.5},
        "role": "candidate",
        "tasks": None,
        "beside": None,
        "status": "done",
        "error": None,
    }
    results = json.loads((cell / "results.json").read_text())
    assert "samples" not in results
    assert results["config"]["hybrid"]["strategy"] == "entropy"
    samples = [
        *map(json.loads, (cell / f"samples_{TASK}.jsonl").read_text().split("\n")[:-1])
    ]
    trace = [*map(json.loads, (cell / "trace.jsonl").read_text().split("\n")[:-1])]
    assert (
        {line["doc_id"] for line in trace}
        == {s["doc_id"] for s in samples}
        == {0, 1, 2}
    )
    by_document = {line["doc_id"]: line["text"] for line in trace}
    assert all(s["resps"] == [[by_document[s["doc_id"]]]] for s in samples)
    mean = sum(sample["exact_match"] for sample in samples) / 3
    assert results["results"][TASK]["exact_match,answer"] == mean


def test_the_summary_is_seen_to_advance(
    hybridlm, finished: Path, tmp_path: Path, monkeypatch
) -> None:
    said: list[list] = []

    def advance(self) -> None:
        said[-1][2] += 1

    def begin(self, label: str, total: int) -> None:
        said.append([label, total, 0])

    monkeypatch.setattr(ExperimentProgress, "begin", begin)
    monkeypatch.setattr(ExperimentProgress, "advance", advance)
    run = shutil.copytree(finished, tmp_path / "run")
    code, _, _ = hybridlm(*LINE, "--output", str(run))
    assert code == 0
    # nothing was run again
    assert said == [[f"summary of {TASK}", 6, 6]]


def test_there_is_a_page_on_it(finished: Path) -> None:
    assert "entropy threshold=0.5" in (finished / "report.html").read_text()


def test_the_share_is_what_was_counted(finished: Path) -> None:
    rows = json.loads((finished / "summary.json").read_text())
    for row in rows:
        path = finished / "cells" / row["cell"] / "results.json"
        counts = json.loads(path.read_text())["config"]["hybrid"]["tasks"][TASK]
        if row["role"] != "oracle":
            assert row["llm_share"] == counts["llm_token_fraction"]
            continue
        # all of its answers end by length: three tokens are the LLM's in any case
        llm, tokens = counts["tokens_from_llm"] - 3, counts["tokens_out"] - 3
        assert row["llm_share"] == llm / tokens


def test_the_run_says_what_it_was(finished: Path) -> None:
    said = json.loads((finished / "run.json").read_text())
    assert (said["format"], said["kind"], said["seed"]) == (1, "compare", 7)
    assert said["pair"] == {"slm": "demo-slm", "llm": "demo-llm"}
    assert said["tasks"] == [TASK]
    assert said["command"].startswith("hybridlm compare --strategies entropy")
    assert {"hybridlm", "lm_eval", "torch"} <= set(said["versions"])
    with (finished / "summary.csv").open() as file:
        table = list(csv.DictReader(file))
    rows = json.loads((finished / "summary.json").read_text())
    assert [line["cell"] for line in table] == [row["cell"] for row in rows]
    assert [float(line["value"]) for line in table] == [row["value"] for row in rows]


def test_the_copy_of_the_experiment_runs_again(
    finished: Path, hybridlm, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    copy = str(finished / "experiment.toml")
    code, out, _ = hybridlm(
        "compare", "--config", copy, "--output", str(again), "--json"
    )
    assert code == 0
    assert json.loads(out)["failed"] == {}
    assert contents(again) == contents(finished)


def test_a_killed_run_goes_on_where_it_was(
    finished: Path, loaded: HybridLM, hybridlm, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    child = os.fork()
    if not child:
        _die_in_the_third_cell([*LINE, "--output", str(path)])
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    cells = path / "cells"
    names = {p.parent.name for p in cells.glob("*/cell.json")}
    assert names == {"slm-only", "llm-only"}
    assert len(list(cells.glob(".unfinished-*"))) == 1
    stamps = {name: (cells / name).stat().st_mtime_ns for name in names}
    code, _, _ = hybridlm(*LINE, "--output", str(path))
    assert code == 0
    assert {name: (cells / name).stat().st_mtime_ns for name in names} == stamps
    assert not list(cells.glob(".unfinished-*"))
    assert contents(path) == contents(finished)


def _die_in_the_third_cell(line: list[str]) -> None:
    """In a child process: be killed with a cell half written."""
    try:
        run, count = Evaluator._evaluate, [0]

        def dying(self, cell, folder, progress):
            count[0] += 1
            if count[0] == 3:
                (folder / "trace.jsonl").write_text('{"half a line')
                os.kill(os.getpid(), signal.SIGKILL)
            run(self, cell, folder, progress)

        Evaluator._evaluate = dying
        main(line)
    finally:
        os._exit(99)


def test_nothing_finished_is_run_again(finished: Path, hybridlm, monkeypatch) -> None:
    before = contents(finished)

    def ran(*arguments):
        raise AssertionError("ran again")

    monkeypatch.setattr(Evaluator, "run", ran)
    code, out, err = hybridlm(*LINE, "--output", str(finished))
    assert code == 0
    assert "entropy threshold=0.5" in out
    assert err == ""
    assert contents(finished) == before


def test_a_failing_cell_does_not_stop_the_rest(hybridlm, tmp_path: Path) -> None:
    evaluate = Evaluator._evaluate

    def failing(self, cell, folder, progress):
        if cell.strategy == "entropy":
            raise ZeroDivisionError("planted")
        evaluate(self, cell, folder, progress)

    line = [*LINE[:2], "entropy,speculative", *SMALL, "--output", str(tmp_path / "run")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Evaluator, "_evaluate", failing)
        code, out, err = hybridlm(*line, "--json")
    said = json.loads(out)
    assert code == 1
    assert said["failed"] == {"entropy": "ZeroDivisionError: planted"}
    assert [row["cell"] for row in said["rows"]] == [
        "slm-only",
        "llm-only",
        "oracle",
        "speculative",
    ]
    assert "entropy failed: ZeroDivisionError: planted" in err
    folder = tmp_path / "run" / "cells" / "entropy"
    assert json.loads((folder / "cell.json").read_text())["status"] == "failed"
    assert "planted" in (folder / "traceback.txt").read_text()
    # it is tried again, alone
    code, out, _ = hybridlm(*line, "--json")
    assert code == 0
    assert len(json.loads(out)["rows"]) == 6
