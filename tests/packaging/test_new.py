"""``hybridlm new``: what it writes installs, passes the suite, and runs in lm_eval."""

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest
import tomli
import yaml
from packaging.specifiers import SpecifierSet

from hybridcore.template.project import KINDS

fresh = runpy.run_path(str(Path(__file__).with_name("fresh.py")))
# lm_eval's own command line several times over, without what takes longest each time:
# its index of thousands of tasks, and its survey of the machine
IN_ONE_PROCESS = """
import functools, shlex, sys
from unittest import mock
import lm_eval.evaluator, lm_eval.tasks
from lm_eval.__main__ import cli_evaluate
manager = functools.partial(lm_eval.tasks.TaskManager, include_defaults=False)
with mock.patch("lm_eval.tasks.TaskManager", manager):
    with mock.patch("lm_eval.evaluator.add_env_info"):
        for line in sys.argv[1:]:
            sys.argv = shlex.split(line)
            cli_evaluate()
"""
WORK = {
    "router": {"tokens_from_slm", "tokens_from_llm"},
    "verifier": {"num_accepted_draft_tokens"},
    "drafter": {"num_accepted_draft_tokens"},
    "scorer": {"tokens_from_llm", "scored_tokens"},
}


@pytest.fixture(scope="module")
def alone(dist, tmp_path_factory):
    """An environment with hybridlm alone."""
    made = fresh["FreshEnvironment"](tmp_path_factory.mktemp("author") / "a venv")
    made.install(next(dist.glob("hybridlm-0*.whl")))
    return made


@pytest.fixture(scope="module")
def said(alone, checked):
    """What the command says of one strategy of each kind."""

    def new(kind):
        command = [alone.bin / "hybridlm", "new", f"my-{kind}", "--kind", kind]
        command += ["--into", alone.folder, "--json"]
        return json.loads(checked(command, alone.folder))

    return {kind: new(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def author(alone, said):
    """The environment with all of them installed."""
    folders = [told["folder"] for told in said.values()]
    alone.install("--no-build-isolation", *folders)
    return alone


def file_of(told, *path):
    """The text of a file of a new project."""
    return Path(told["folder"], *path).read_text(encoding="utf-8")


def ci_file(told):
    return yaml.safe_load(file_of(told, ".github", "workflows", "test.yml"))


def ci_steps(told):
    (job,) = ci_file(told)["jobs"].values()
    return job["steps"]


def ci_commands(told):
    return [shlex.split(step["run"]) for step in ci_steps(told) if "run" in step]


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_where_to_go_in_words_for_a_shell(said, kind):
    told = said[kind]
    assert " " in told["folder"]
    assert shlex.split(told["next"][0]) == ["cd", told["folder"]]


def test_every_kind_conforms(author, said, checked, tmp_path):
    names = [f"my-{kind}" for kind in KINDS]
    options = [f"--hybridlm-strategy={name}" for name in names]
    tests = [Path(told["folder"]) / "tests" for told in said.values()]
    # as the CI file runs it, but for all of them at once
    pytest_line = ci_commands(said["router"])[-1]
    line = [author.bin / "python", "-m", *pytest_line, "-p", "no:cacheprovider"]
    checked([*line, *options, "--import-mode=importlib", *tests], tmp_path)
    report = tmp_path / ci_steps(said["router"])[-1]["with"]["path"]
    found = json.loads(report.read_text())["strategies"]
    assert [told["strategy"] for told in found] == names
    assert all(told["conforms"] for told in found)
    assert {told["distribution"] for told in found} == {
        f"hybridlm-strategy-{name}" for name in names
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_ci_file_names_what_is_there(said, kind):
    workflow = ci_file(said[kind])
    assert workflow[True] == ["push", "pull_request"]  # YAML 1.1 has "on" for true
    (job,) = workflow["jobs"].values()
    matrix = job["strategy"]["matrix"]
    # a step does one thing: an action at a version, or a command
    for step in job["steps"]:
        action = re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", ""))
        assert bool(action) != ("run" in step)
    asked = re.findall(r"\$\{\{ (.*?) \}\}", json.dumps(job))
    assert set(asked) == {f"matrix.{name}" for name in matrix}
    *_, install, tests = ci_commands(said[kind])
    assert (install[:3], tests[0]) == (["pip", "install", "-e"], "pytest")
    (extra,) = re.fullmatch(r"\.\[(\w+)\]", install[3]).groups()
    project = tomli.loads(file_of(said[kind], "pyproject.toml"))["project"]
    assert extra in project["optional-dependencies"]
    for version in matrix["python"]:
        assert isinstance(version, str)  # without quotes 3.10 is 3.1
        assert SpecifierSet(project["requires-python"]).contains(version)


@pytest.fixture(scope="module")
def evaluated(author, said, checked, tmp_path_factory):
    """The results of the line that the command prints at the end, on two documents."""
    folder = tmp_path_factory.mktemp("evaluated")
    printed = {kind: told["next"][-1] for kind, told in said.items()}
    printed["drafter"] = printed["drafter"].replace("slm=demo-slm,", "")  # needs none
    printed["scorer"] = printed["scorer"].replace("device=", "scoring=strategy,device=")
    printed["scorer"] += " --tasks hybrid_demo_generation,hybrid_demo_choice"
    ends = {kind: f" --limit 2 --output_path {kind}" for kind in KINDS}
    lines = [printed[kind] + ends[kind] for kind in KINDS]
    checked([author.bin / "python", "-c", IN_ONE_PROCESS, *lines], folder)

    def results(kind):
        (file,) = folder.glob(f"{kind}/**/results_*.json")
        return json.loads(file.read_text())

    return {kind: results(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_lm_eval_runs_it(evaluated, kind):
    results = evaluated[kind]
    assert {n["effective"] for n in results["n-samples"].values()} == {2}
    told = results["config"]["hybrid"]
    assert told["strategy"] == f"my-{kind}"
    assert all(told["total"][name] > 0 for name in WORK[kind])
    # the drafter alone does without
    assert (told["total"]["slm_forwards"] == 0) == (kind == "drafter")


def test_they_are_listed(author, checked, tmp_path):
    command = [author.bin / "hybridlm", "strategies", "--json"]
    listed = {e["name"]: e for e in json.loads(checked(command, tmp_path))}
    assert set(listed) == {f"my-{kind}" for kind in KINDS}
    assert listed["my-scorer"]["hooks"] == ["route_token", "score", "verify"]
