"""``hybridlm new``: what it writes installs, passes the suite, and runs in lm_eval."""

import json
import runpy
from pathlib import Path

import pytest

fresh = runpy.run_path(str(Path(__file__).with_name("fresh.py")))
KINDS = ["router", "verifier", "drafter", "scorer"]


@pytest.fixture(scope="module")
def author(dist, checked, tmp_path_factory):
    """An environment with hybridlm alone, and one strategy of each kind."""
    made = fresh["FreshEnvironment"](tmp_path_factory.mktemp("author") / "a venv")
    made.install(next(dist.glob("hybridlm-0*.whl")))
    for kind in KINDS:
        command = [made.bin / "hybridlm", "new", f"my-{kind}", "--kind", kind]
        checked([*command, "--into", made.folder], made.folder)
    folders = [made.folder / f"hybridlm-strategy-my-{kind}" for kind in KINDS]
    made.install("--no-build-isolation", *folders)
    return made


def pytest_in(author, *arguments):
    return [author.bin / "python", "-m", "pytest", "-p", "no:cacheprovider", *arguments]


def test_every_kind_conforms(author, checked, tmp_path):
    report = tmp_path / "report.json"
    names = [f"my-{kind}" for kind in KINDS]
    options = [f"--hybridlm-strategy={name}" for name in names]
    tests = [author.folder / f"hybridlm-strategy-{name}" / "tests" for name in names]
    line = [*options, f"--hybridlm-report={report}", "--import-mode=importlib", *tests]
    checked(pytest_in(author, *line), tmp_path)
    found = json.loads(report.read_text())["strategies"]
    assert [told["strategy"] for told in found] == names
    assert all(told["conforms"] for told in found)
    assert {told["distribution"] for told in found} == {
        f"hybridlm-strategy-{name}" for name in names
    }


def test_lm_eval_runs_it(author, checked, tmp_path):
    tasks = author.site / "hybridcore" / "demo" / "tasks"
    model = "llm=demo-llm,strategy=my-drafter,num_drafts=3,device=cpu"
    command = [author.bin / "lm_eval", "--model", "hybrid", "--model_args", model]
    command += ["--include_path", tasks, "--tasks", "hybrid_demo_generation"]
    checked([*command, "--limit", "2", "--output_path", tmp_path / "out"], tmp_path)
    (file,) = tmp_path.glob("out/**/results_*.json")
    counts = json.loads(file.read_text())["config"]["hybrid"]["total"]
    assert counts["num_accepted_draft_tokens"] > 0
    assert counts["slm_forwards"] == 0


def test_they_are_listed(author, checked, tmp_path):
    command = [author.bin / "hybridlm", "strategies", "--json"]
    listed = {e["name"]: e for e in json.loads(checked(command, tmp_path))}
    assert set(listed) == {f"my-{kind}" for kind in KINDS}
    assert listed["my-scorer"]["hooks"] == ["route_token", "score", "verify"]
