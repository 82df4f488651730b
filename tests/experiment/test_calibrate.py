"""``hybridlm calibrate``, and ``calibration=FILE`` of model arguments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from hybridcore import HybridLM
from hybridcore.demo import tasks_path
from hybridcore.errors import ArgumentError
from hybridcore.experiment.calibration import Calibration, Target, missed, split
from hybridcore.harness.given import flat

TASK = "hybrid_demo_perplexity"
LINE = ["calibrate", "--tasks", TASK, "--limit", "10", "--resamples", "200"]


@pytest.fixture
def calibrated(hybridlm, tmp_path: Path):
    def run(*more: str) -> dict:
        path = tmp_path / "calibration.json"
        code, out, err = hybridlm(*LINE, *more, "--output", str(path), "--json")
        assert code == 0, err
        said = json.loads(out)
        assert said.pop("file") == str(path)
        assert json.loads(path.read_text()) == said
        return said

    return run


def test_documents_are_chosen_on_or_checked_on() -> None:
    chosen, checked = split(11, 0.5, 3)
    assert len(chosen) == 6
    assert sorted(chosen + checked) == list(range(11))
    assert split(11, 0.5, 3) == (chosen, checked) != split(11, 0.5, 4)
    for count, fraction in ((3, 0.5), (10, 0.05), (10, 0.9)):
        with pytest.raises(ArgumentError, match="at least two to choose on"):
            split(count, fraction, 0)


def test_a_share_is_kept_on_documents_not_seen(calibrated, pair: HybridLM) -> None:
    said = calibrated("--target-llm-share", "0.3")
    chosen, checked = said["calibration"], said["held_out"]
    assert not set(chosen["documents"]) & set(checked["documents"])
    assert chosen["llm_share"] == pytest.approx(0.3, abs=0.01)
    assert checked["share_low"] < checked["llm_share"] < checked["share_high"]
    assert checked["llm_share"] == pytest.approx(0.3, abs=0.06)
    # the same documents, asked again without anything of the calibration
    lm = pair.with_strategy(said["strategy"], **said["options"])
    results = simple_evaluate(
        lm,
        tasks=[TASK],
        samples={TASK: checked["documents"]},
        task_manager=TaskManager(
            include_path=str(tasks_path()), include_defaults=False
        ),
        bootstrap_iters=0,
    )
    counts = results["config"]["hybrid"]["tasks"][TASK]
    assert checked["llm_share"] == counts["scored_from_llm"] / counts["scored_tokens"]
    value = results["results"][TASK]["word_perplexity,none"]
    assert checked["value"] == pytest.approx(value, rel=1e-4)


def test_an_accuracy_takes_the_smallest_share_that_reaches_it(calibrated) -> None:
    said = calibrated("--target-accuracy", "0.9", "--points", "4")
    loose = calibrated("--target-accuracy", "0.5", "--points", "4")
    # a perplexity is reached from above
    chosen = said["calibration"]
    assert loose["calibration"]["llm_share"] <= chosen["llm_share"]
    assert loose["calibration"]["value"] >= chosen["value"]
    assert said["target"] == {"accuracy": 0.9}


def test_an_accuracy_out_of_reach_is_said(hybridlm, tmp_path: Path) -> None:
    line = [*LINE, "--strategy", "random", "--option", "fraction", "--points", "1"]
    code, _, err = hybridlm(
        *line, "--target-accuracy", "1", "--output", str(tmp_path / "c")
    )
    assert code == 1
    assert "none of 1 thresholds reaches" in err
    assert "fraction=" in err
    assert not (tmp_path / "c").exists()


def test_what_is_printed_names_both_sets(hybridlm, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    code, out, err = hybridlm(*LINE, "--target-llm-share", "0.5", "--output", str(path))
    assert (code, err) == (0, "")
    assert "chosen on 5 documents of hybrid_demo_perplexity: LLM share " in out
    assert "on 5 held-out documents (95 % intervals):" in out
    assert f"calibration={path}" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "expected --target-llm-share or --target-accuracy"),
        (["--target-llm-share", "0.3", "--target-accuracy", "1"], "needs one target"),
        (["--target-llm-share", "1"], "target llm_share=1.0: expected between 0 and 1"),
        (["--target-llm-share", "0.3", "--limit", "2"], "2 documents and calibration"),
        (
            ["--target-llm-share", "0.3", "--tasks", f"{TASK},hybrid_demo_choice"],
            "expected one\ncalibrate each alone",
        ),
        (["--target-llm-share", "0.3", "--option", "x"], "has no option 'x'"),
        (["--target-llm-share", "0.3", "--points", "0"], "points=0: expected a"),
        (["--target-accuracy", "1", "--points", "-1"], "points=-1: expected a"),
        (
            ["--target-llm-share", "0.3", "--output", "/no/c.json"],
            "output='/no/c.json': expected a file in a folder",
        ),
    ],
)
def test_bad_input(hybridlm, line, message) -> None:
    code, _, err = hybridlm(*LINE, *line)
    assert code == 1
    assert message in err


NOTHING = dict.fromkeys(
    ("value", "low", "high", "llm_share", "share_low", "share_high")
)
NOTHING |= dict.fromkeys(("difference", "difference_low", "difference_high"))


def report(wanted: float | None, share: float | None) -> dict:
    """A calibration of documents that no metric and no interval could be had from."""
    target = {"accuracy": 0.9} if wanted is None else {"llm_share": wanted}
    chosen = {"documents": [0, 1], "llm_share": share, "value": None}
    checked = {"documents": [2, 3], "llm_value": None, **NOTHING}
    said = {"strategy": "entropy", "options": {"threshold": 0.5}, "task": TASK}
    said |= {"metric": "f1,none", "target": target}
    return {**said, "calibration": chosen, "held_out": checked}


def test_what_is_not_known_is_a_dash(hybridlm, tmp_path: Path, monkeypatch) -> None:
    found = report(0.5, None)
    monkeypatch.setattr(Calibration, "__call__", lambda self, *rest: found)
    path = tmp_path / "c.json"
    code, out, err = hybridlm(*LINE, "--target-llm-share", "0.5", "--output", str(path))
    assert code == 0
    assert "LLM share -, f1,none -" in out
    assert "  LLM share - [-, -]" in out
    assert "  f1,none - [-, -], LLM alone -, difference [-, -]" in out
    assert "note: target llm_share=0.5 is missed: the LLM share is not known" in err
    assert json.loads(path.read_text()) == found


def test_a_share_that_is_missed_is_said() -> None:
    assert missed(report(0.5, 0.505)) is None
    assert missed(report(None, 0.1)) is None
    for share in (0.3, 0.7):
        assert f"comes to {100 * share:.1f} %" in missed(report(0.5, share))


def test_targets() -> None:
    assert Target(accuracy=1.0).checked()
    with pytest.raises(ArgumentError):
        Target(llm_share=0.0).checked()


FILE = {
    "format": 1,
    "strategy": "entropy",
    "options": {"threshold": 0.7},
    "pair": {"slm": "demo-slm", "llm": "demo-llm"},
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(FILE))
    return str(path)


PAIR = {"slm": "demo-slm", "llm": "demo-llm"}


def test_a_file_names_strategy_and_threshold(file: str, caplog) -> None:
    expected = {**PAIR, "strategy": "entropy", "threshold": 0.7}
    assert flat({**PAIR, "calibration": file}) == expected
    assert flat({**PAIR, "calibration": file, "threshold": 1}) == {
        **expected,
        "threshold": 1,
    }
    assert flat({**PAIR, "calibration": file, "strategy": "entropy"}) == expected
    assert caplog.text == ""


def test_a_calibration_that_is_typed_wins_over_a_config_file(
    file: str, tmp_path: Path, caplog
) -> None:
    config = tmp_path / "pair.toml"
    pair = "".join(f"[{role}]\nmodel = '{name}'\n" for role, name in PAIR.items())
    expected = {**PAIR, "strategy": "entropy", "threshold": 0.7}
    for strategy in ("entropy", "uncertainty"):
        table = f"[strategy]\nname = '{strategy}'\nthreshold = 0.1\n"
        config.write_text(f"calibration = '/no/such'\n{pair}{table}")
        assert flat({"config": str(config), "calibration": file}) == expected
    config.write_text(f"calibration = '{file}'\n{pair}")
    assert flat({"config": str(config)}) == expected
    assert flat({"config": str(config), "threshold": 2})["threshold"] == 2
    assert caplog.text == ""


def test_a_model_is_made_of_it(file: str) -> None:
    lm = HybridLM.create_from_arg_string(
        f"slm=demo-slm,llm=demo-llm,calibration={file},dtype=float32,device=cpu"
    )
    assert (lm.strategy_name, lm.strategy.options()) == ("entropy", {"threshold": 0.7})


def test_another_pair_is_warned_of(file: str, caplog) -> None:
    flat({**PAIR, "slm": "other", "calibration": file})
    assert "was made with slm='demo-slm', not 'other'" in caplog.text


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("{", {}, "cannot be read"),
        ("[1]", {}, "is of format None: expected 1"),
        ('{"format": 7}', {}, "is of format 7: expected 1"),
        (json.dumps(FILE), {"strategy": "uncertainty"}, "is for strategy 'entropy'"),
    ],
)
def test_files_that_do_not_fit(file: str, text: str, more, message: str) -> None:
    Path(file).write_text(text)
    with pytest.raises(ArgumentError) as error:
        flat({**PAIR, "calibration": file, **more})
    assert message in str(error.value)
