"""The command ``hybridlm``: what it lists, runs and refuses."""

import argparse
import json
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import pytest

from hybridcore import Strategy, discovery, hookimpl, option
from hybridcore.cli import COMMANDS, demo, main, strategies
from hybridcore.errors import HybridLMError, StrategyBroken


def test_strategies_are_listed_with_options_and_units(capsys):
    assert main(["strategies", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert {"entropy", "llm-only", "random", "slm-only", "speculative"} <= set(listed)
    entropy = listed["entropy"]
    assert entropy["distribution"] == "hybridlm-strategy-entropy"
    assert entropy["version"] == version("hybridlm-strategy-entropy")
    assert (entropy["hooks"], entropy["broken"]) == (["route_token"], None)
    (option,) = entropy["options"]
    assert option.pop("help").startswith("entropy above which")
    assert option == {
        "name": "threshold",
        "type": "float",
        "default": 2.0,
        "required": False,
        "unit": "nats",
        "minimum": -1.0,
        "maximum": None,
        "choices": None,
        "range": "at least -1.0",
    }
    assert main(["strategies"]) == 0
    printed = capsys.readouterr().out
    assert "threshold=2.0 nats, at least -1.0: entropy above which" in printed


def test_strategies_are_listed_with_capabilities(capsys):
    assert main(["strategies", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["speculative"]["capabilities"] == {
        "lossless": True,
        "holds": True,
        "stateful": False,
        "requires": ["slm"],
        "scoring_strategy": "llm",
        "conformance_xfail": {},
    }
    assert listed["llm-only"]["capabilities"]["requires"] == []
    assert listed["entropy"]["capabilities"]["scoring_strategy"] == "routed"
    assert not listed["entropy"]["capabilities"]["holds"]
    assert main(["strategies"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index(f"speculative  ({listed['speculative']['distribution']} 0.1.0)")
    assert lines[at + 2 : at + 4] == [
        "    hooks: route_token, verify",
        "    lossless, holds its drafts, reads slm, scoring=strategy as the LLM's",
    ]


def test_a_strategy_of_an_odd_shape_is_listed(monkeypatch, capsys):
    class Odd(Strategy):
        """Keeps state, and cannot be scored."""

        requires = frozenset({"slm", "slm_hidden"})
        conformance_xfail = {"ROUTE-10": "by design"}
        depth: int = option(minimum=1, maximum=3)
        rule: Literal["chow", "diff"] = option("chow", help="of deferral")
        path: Path | None = option(Path("head.pt"), choices=(Path("head.pt"),))

        @hookimpl
        def start(self, request):
            return []

    entry = discovery.Listing("odd", "odd-things", "3", Odd)
    monkeypatch.setattr(strategies, "listings", lambda: [entry])
    assert main(["strategies", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert said["capabilities"]["stateful"]
    assert said["capabilities"]["scoring_strategy"] is None
    assert said["capabilities"]["conformance_xfail"] == {"ROUTE-10": "by design"}
    depth, rule, path = said["options"]
    assert rule["type"] == "Literal['chow', 'diff']"
    assert (path["default"], path["choices"]) == ("head.pt", ["head.pt"])
    assert (depth["required"], depth["range"]) == (True, "between 1 and 3")
    assert main(["strategies"]) == 0
    printed = capsys.readouterr().out
    assert "keeps state, reads slm and slm_hidden, scoring=strategy cannot" in printed
    assert "known to fail ROUTE-10" in printed
    assert "depth=..., between 1 and 3: " in printed


def test_a_broken_strategy_shows_its_reason_and_the_exit_code(monkeypatch, capsys):
    def broken(point):
        raise StrategyBroken("planted reason\nand what to do")

    monkeypatch.setattr(discovery, "load_entry_point", broken)
    assert main(["strategies"]) == 1
    assert "broken: planted reason" in capsys.readouterr().out


def test_our_errors_are_one_line(monkeypatch, capsys):
    def fail(*arguments):
        raise HybridLMError("planted")

    monkeypatch.setattr(demo, "_evaluate", fail)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err.strip().endswith("error: planted")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "eval"])
def test_every_command_of_ours_speaks_json(name):
    parser = argparse.ArgumentParser()
    import_module(f"hybridcore.cli.{name}").add_arguments(parser)
    nested = [a for a in parser._actions if isinstance(a.choices, dict)]
    parsers = [p for a in nested for p in a.choices.values() if name == "bench"]
    for one in parsers or [parser]:
        assert "--json" in one._option_string_actions, one.prog


def test_new_says_in_json_what_it_wrote(tmp_path, capsys):
    assert main(["new", "foo-bar", "--into", str(tmp_path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    folder = tmp_path / "hybridlm-strategy-foo-bar"
    assert said["folder"] == str(folder)
    assert str(folder / "hybridlm_strategy_foo_bar.py") in said["files"]
    assert all(Path(file).is_file() for file in said["files"])
    assert said["next"][0] == f"cd {folder}"
    assert "strategy=foo-bar" in said["next"][-1]
    assert main(["new", "foo", "--into", str(tmp_path)]) == 0
    assert "\nnext:\n    cd " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["none", "true", "false", "nan"])
def test_a_name_that_lm_eval_reads_as_a_value_is_refused(name, tmp_path, capsys):
    assert main(["new", name, "--into", str(tmp_path)]) == 1
    assert f"error: name '{name}': strategy={name} would" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    # what only begins so is a name, and its class can be written
    assert main(["new", f"{name}-x", "--into", str(tmp_path)]) == 0


def test_eval_hands_everything_to_lm_eval(monkeypatch):
    import lm_eval.__main__

    seen = []
    monkeypatch.setattr(lm_eval.__main__, "cli_evaluate", lambda: seen.append(sys.argv))
    monkeypatch.setattr(sys, "argv", ["hybridlm"])
    assert main(["eval", "run", "--model", "hybrid", "--help"]) == 0
    assert seen == [["lm_eval", "run", "--model", "hybrid", "--help"]]


def test_unknown_commands_name_the_known(capsys):
    with pytest.raises(SystemExit):
        main(["nonsense"])
    message = capsys.readouterr().err
    assert all(name in message for name in COMMANDS)


def test_the_demo_asks_lm_eval_and_reads_its_numbers(tmp_path):
    line = demo.command("entropy,threshold=0.5", tmp_path, 3)
    assert line[1:4] == ["-m", "lm_eval", "run"]
    assert "strategy=entropy,threshold=0.5" in line[line.index("--model_args") + 1]
    assert line[-2:] == ["--limit", "3"]
    row = {
        "strategy": "x",
        "generation_accuracy": 0.5,
        "choice_accuracy": 1.0,
        "llm_token_fraction": 0.125,
        "llm_forwards": 1234,
        "tokens_per_s": 99.6,
    }
    assert "| x        | 50.0 %         | 100.0 %    | 12.5 %" in demo.table([row])
