"""The embedded pair, loaded once for all experiments of these tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from hybridcore import HybridLM
from hybridcore.cli import main
from hybridcore.experiment.evaluation import Evaluator

# keys whose values are of the clock, the place or the random name of a run
PASSING = ("date", "wall_s", "generation_s", "scoring_s", "tokens_per_s", "git_hash")
PASSING += ("pretty_env_info", "transformers_version", "lm_eval_version")
PASSING += ("upper_git_hash",)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pair() -> HybridLM:
    return HybridLM(
        slm="demo-slm",
        llm="demo-llm",
        strategy="llm-only",
        device="cpu",
        dtype="float32",
        batch_size=8,
        pack=False,  # is decided by a measurement, and changes the last digits
        scoring="strategy",
    )


@pytest.fixture
def loaded(pair: HybridLM, monkeypatch: pytest.MonkeyPatch) -> HybridLM:
    """Let every experiment of the test use the pair that is loaded already."""
    share(pair, monkeypatch)
    return pair


def share(pair: HybridLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace what takes seconds: loading, and what lm_eval says of the machine."""
    monkeypatch.setattr(Evaluator, "_model", lambda self: pair)
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda storage: None)


@pytest.fixture
def hybridlm(
    loaded: HybridLM, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """``hybridlm("compare", ...)``: run a command; return exit code, output, errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        drawn = ["--no-report"] * (arguments[0] in ("compare", "sweep"))
        code = main([*arguments, *drawn])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def lasting(value: Any) -> Any:
    """Return results without what differs between two runs of the same thing."""
    if isinstance(value, dict):
        return {k: lasting(v) for k, v in value.items() if k not in PASSING}
    return [lasting(item) for item in value] if isinstance(value, list) else value


def contents(run: Path) -> dict[str, Any]:
    """Return all that lasts of a run directory: every JSON, every line."""
    found: dict[str, Any] = {}
    for path in sorted(run.rglob("*.json*")):
        name = str(path.relative_to(run))
        text = path.read_text(encoding="utf-8")
        if name == "run.json":
            continue
        if path.suffix == ".jsonl":
            lines = [json.loads(line) for line in text.splitlines()]
            found[name] = sorted(lines, key=lambda line: json.dumps(line))
        else:
            found[name] = lasting(json.loads(text))
    return found
