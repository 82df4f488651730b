"""The command ``hybridlm``: what it lists, runs and refuses."""

import json
import sys

import pytest

from hybridcore import discovery
from hybridcore.cli import COMMANDS, demo, main
from hybridcore.errors import HybridLMError, StrategyBroken


def test_strategies_are_listed_with_options_and_units(capsys):
    assert main(["strategies", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert {"entropy", "llm-only", "random", "slm-only", "speculative"} <= set(listed)
    (option,) = listed["entropy"]["options"]
    assert (option["name"], option["default"], option["unit"]) == (
        "threshold",
        2.0,
        "nats",
    )
    assert listed["speculative"]["lossless"]
    assert listed["speculative"]["holds"]
    assert main(["strategies"]) == 0
    assert "threshold=2.0 nats: entropy above which" in capsys.readouterr().out


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
