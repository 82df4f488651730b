"""``example_lm_eval.py`` at the root, with a few documents."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from hybridcore import HybridLM

PATH = Path(__file__).parents[2] / "example_lm_eval.py"


@pytest.fixture
def example(loaded: HybridLM, monkeypatch: pytest.MonkeyPatch):
    spec = importlib.util.spec_from_file_location("example_lm_eval", PATH)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "example_lm_eval", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HybridLM", lambda **given: loaded)
    monkeypatch.setattr(module, "THRESHOLDS", (0.5, 0.001))
    return module


def test_it_runs_and_its_numbers_are_those_of_compare(
    example, hybridlm, capsys, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    capsys.readouterr()
    example.main(["--limit", "2", "--picture", str(picture)])
    said = capsys.readouterr().out
    for name in [*example.STRATEGIES, "uncertainty threshold=0.001"]:
        assert name in said
    # a PNG with something on it
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(picture.read_bytes()) > 5000
    line = ["compare", "--strategies", "entropy:threshold=0.5", "--limit", "2"]
    line += ["--tasks", "hybrid_demo_generation", "--random-points", "0"]
    _, out, _ = hybridlm(*line, "--resamples", "100", "--output", str(tmp_path / "run"))
    rows = [row for row in out.splitlines() if "entropy threshold=0.5" in row]
    mine = next(row for row in said.splitlines() if "entropy threshold=0.5" in row)
    value, share = mine.split()[2:4]
    assert value in rows[0]
    assert f"{share} %" in rows[0]


def test_without_matplotlib_it_says_so(example, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = example.Result("a", "acc", 1.0, 0.5, 1.0)
    assert not example.draw([result], [result], tmp_path / "x.png")


def test_scored_tasks_are_read_as_well(example, hybridlm) -> None:
    arguments = example.parsed(["--task", "hybrid_demo_choice", "--limit", "1"])
    result = example.Example(arguments).evaluate("entropy", threshold=0.5)
    assert result.metric == "acc,none"
    assert 0 < result.llm_share < 1
