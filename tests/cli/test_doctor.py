"""``hybridlm doctor``: what is broken is found and named, and nothing else is."""

import dataclasses
import io
import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
import torch
from rich.console import Console

from hybridcore import doctor, laws
from hybridcore.cli import doctor as command
from hybridcore.cli import main
from hybridcore.discovery import Listing
from hybridcore.doctor import bridge, device, strategies, trial, versions
from hybridcore.doctor.finding import Finding
from hybridcore.exchange import Verdict

SEEN = bridge.Seen(True, False, True, True, ("/site/hybridlm.pth",), None)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def found(monkeypatch):
    """``found("device", finding or error)``: in place of what that part finds."""
    for name in doctor.PARTS.values():
        replace(monkeypatch, name, Finding(f"{name} is fine", {"looked": True}))
    return lambda name, finding: replace(monkeypatch, name, finding)


def replace(monkeypatch, name, finding):
    def look():
        if isinstance(finding, BaseException):
            raise finding
        return finding

    monkeypatch.setattr(f"hybridcore.doctor.{name}.look", look)


def test_all_is_well_here(capsys):
    assert main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"]
    assert said["problems"] == {}
    for name in ("hybridlm", "torch", "transformers", "lm_eval", "accelerate"):
        assert said["versions"][name] == version(name)
    assert said["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert said["bridge"]["active"]
    assert "entropy" in {entry["name"] for entry in said["strategies"]["usable"]}
    run = said["end_to_end"]
    assert run["equal"]
    assert run["documents"] == 4
    assert 0 < run["llm_forwards"] < run["tokens"]
    assert run["runners"] == {"slm": "slots", "llm": "slots"}


def test_each_part_is_a_line_and_a_problem_is_the_exit_code(found, capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "versions    versions is fine",
        "device      device is fine",
        "bridge      bridge is fine",
        "strategies  strategies is fine",
        "end to end  trial is fine",
        "",
        "everything works",
    ]
    assert printed.err == ""  # no bar where there is no terminal
    found("bridge", Finding("bad", {}, ("it is broken\nmend it",)))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.endswith("\nbroken: it is broken\n        mend it\n")
    assert main(["doctor", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["problems"]) == (
        False,
        {"bridge": ["it is broken\nmend it"]},
    )


def test_a_part_that_cannot_be_looked_at_hides_no_other(found, capsys):
    found("device", RuntimeError("no driver\nat all"))
    found("strategies", SystemExit("bye"))
    assert main(["doctor", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["problems"] == {
        "device": ["RuntimeError: no driver"],
        "strategies": ["SystemExit: bye"],
    }
    assert said["end_to_end"] == {"looked": True}


def test_a_terminal_sees_colours_and_what_is_looked_at(found, monkeypatch):
    screens = {False: io.StringIO(), True: io.StringIO()}

    def terminal(stderr=False, **more):
        return Console(file=screens[stderr], force_terminal=True, **more)

    monkeypatch.setattr(command, "Console", terminal)
    assert main(["doctor"]) == 0
    assert "\x1b[1;32mbridge" in screens[False].getvalue()
    assert "end to end" in screens[True].getvalue()


def test_a_torch_that_cannot_be_imported_is_found(tmp_path):
    broken = "raise ImportError('libcudart.so.12: cannot open shared object file')"
    (tmp_path / "torch.py").write_text(broken)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    code = "import sys, hybridcore.cli as c; sys.exit(c.main(['doctor', '--json']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert "libcudart.so.12" in said["problems"]["device"][0]
    assert "libcudart.so.12" in said["problems"]["end to end"][0]
    assert said["versions"]["torch"] == version("torch")


def test_requirements_that_are_not_met(monkeypatch):
    wanted = ["torch>=999", "no-such-thing", "pluggy>=1.7", "ray>=999; extra == 'ray'"]
    monkeypatch.setattr(versions, "requires", lambda name: wanted)
    torch_problem, missing = versions.look().problems
    assert torch_problem.startswith(f"torch {version('torch')}: expected torch>=999\n")
    assert missing.startswith("no-such-thing is missing: expected no-such-thing\n")
    assert "pip install 'torch>=999'" in torch_problem


def test_code_that_is_not_what_is_installed(monkeypatch):
    monkeypatch.setattr(versions, "__version__", "0.0.7")
    (problem,) = versions.look().problems
    assert "is hybridlm 0.0.7, installed is " in problem


@pytest.mark.parametrize(
    ("changes", "reason", "broken"),
    [
        ({}, "hybridlm.pth registers the model", False),
        ({"alone": True}, "reads the entry-point group lm_eval.models", False),
        ({"alone": True, "waits": False, "switch": "0"}, "entry-point group", False),
        ({"found": False, "waits": False, "switch": "0"}, "HYBRIDLM_BRIDGE=0", False),
        ({"found": False, "files": ()}, "no hybridlm.pth in /", True),
        ({"found": False, "module": False}, "_hybridlm_startup.py is not", True),
        ({"found": False, "waits": False}, "start with -S?", True),
        ({"found": False, "said": "oh no"}, "does not know the model: oh no", True),
    ],
)
def test_why_the_bridge_is_as_it_is(monkeypatch, changes, reason, broken):
    seen = dataclasses.replace(SEEN, **changes)
    monkeypatch.setattr(bridge, "see", lambda: seen)
    finding = bridge.look()
    assert reason in finding.summary
    assert finding.summary.startswith("active" if seen.waits else "not active")
    assert bool(finding.problems) == broken
    for problem in finding.problems:
        assert reason in problem
        assert "hybridlm eval" in problem


def test_the_switch_is_seen_by_a_fresh_process(monkeypatch):
    monkeypatch.setenv("HYBRIDLM_BRIDGE", "0")
    finding = bridge.look()
    assert not finding.problems
    assert finding.summary.startswith("not active: HYBRIDLM_BRIDGE=0 switches it off")
    assert not finding.facts["found"]
    monkeypatch.delenv("HYBRIDLM_BRIDGE")
    assert bridge.look().facts["found"]


def test_the_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "12.9")
    finding = device.look()
    assert finding.facts["device"] == "cpu"
    assert finding.facts["threads"] == 1
    assert finding.facts["memory_gib"] > 0
    assert "built for CUDA 12.9, sees no GPU" in finding.summary
    card = {"device": "cuda", "name": "a card", "memory_gib": 80.0, "count": 2}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device, "gpu", lambda: card)
    assert device.look().summary == "cuda: a card, 80.0 GiB, one of 2"


def test_broken_and_rival_strategies(monkeypatch):
    class Whole(trial.Speculation):
        """Is whole."""

    entries = [
        Listing("whole", "mine", "1", Whole, "", ("yours",)),
        Listing("bad", "theirs", "2", None, "bad fails\nrepair it"),
    ]
    monkeypatch.setattr(strategies, "listings", lambda: entries)
    finding = strategies.look()
    assert (
        finding.summary == "1 usable: whole; 1 broken; of several distributions: whole"
    )
    assert finding.problems == ("bad fails\nrepair it",)
    (broken,) = finding.facts["broken"]
    assert (broken["name"], broken["version"]) == ("bad", "2")
    monkeypatch.setattr(strategies, "listings", list)
    assert strategies.look() == Finding("none usable", {"usable": [], "broken": []})


def test_texts_that_differ_are_shown(monkeypatch):
    def everything(block):
        """Accepts all drafts, as no lossless strategy may."""
        return Verdict(block.length, laws.at(block.p, block.length))

    monkeypatch.setattr(trial, "speculative_sample", everything)
    finding = trial.look()
    assert not finding.facts["equal"]
    assert "does not say what hf says" in finding.summary
    assert finding.problems
    assert "hf says" in finding.problems[0]
    assert "hybridlm doctor --json" in finding.problems[0]


def test_models_without_a_cache_are_told_of(monkeypatch):
    models = {"slm": {"runner": "slots"}}
    models["llm"] = {"runner": "recompute", "runner_reason": "the probe failed"}
    total = {"tokens_out": 2, "draft_acceptance_rate": 1.0, "llm_forwards": 1}
    told = ({"0": "a"}, {"0": "a"}, {**models, "total": total})
    monkeypatch.setattr(trial, "compared", lambda: told)
    (problem,) = trial.look().problems
    assert problem.startswith("the LLM runs without a cache: the probe failed\n")
