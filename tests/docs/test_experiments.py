"""The pages on experiments and reports: their commands, files and program."""

import argparse
import importlib
import re
import shlex

import pytest
import torch

from hybridcore.cli import COMMANDS
from hybridcore.experiment import run_directory
from hybridcore.experiment.choice import choices
from hybridcore.experiment.experiment_file import read_experiment


def lines(page):
    """Every command of a page, in words."""
    for block in page.blocks():
        if block.language == "sh":
            text = block.text.replace("\\\n", " ")
            yield from (shlex.split(line) for line in text.splitlines())


@pytest.mark.parametrize("name", ["experiments", "report"])
def test_commands_can_be_given(page, name):
    found = [words for words in lines(page(name)) if words[0] == "hybridlm"]
    assert found
    for _, command, *rest in found:
        parser = argparse.ArgumentParser()
        importlib.import_module(f"hybridcore.cli.{command}").add_arguments(parser)
        arguments = parser.parse_args(rest)
        for option in ("strategy", "strategies"):
            if said := getattr(arguments, option, None):
                assert all(choice.checked() for choice in choices(said))


def test_every_command_of_an_experimenter_is_there(page):
    named = {name.split()[-1] for name in page("experiments").names() if " " in name}
    named = {name for name in named if name in COMMANDS}
    shown = {words[1] for words in lines(page("experiments")) if words[0] == "hybridlm"}
    assert named - shown == {"report"}
    others = {"bench", "demo", "doctor", "eval", "new", "strategies"}
    assert named == set(COMMANDS) - others


def test_the_experiment_file_is_read(page, tmp_path):
    (block,) = (b for b in page("experiments").blocks() if b.language == "toml")
    path = tmp_path / "experiment.toml"
    path.write_text(block.text)
    uncertainty, entropy = read_experiment(path).strategies
    assert len(uncertainty.settings()) == 9
    assert entropy.grid == {"threshold": (0.2, 0.5, 1.0)}


def test_the_run_directory_is_what_the_code_says(page):
    said = re.findall(r"^    (\S+\.\S+(?:, \S+)*)  ", run_directory.__doc__, re.M)
    rows = page("experiments").section("The run directory").names()
    written = {name for line in said for name in line.split(", ")}
    assert set(rows) == written | {"report.html", "figures/"}


def test_the_program_runs(page, capsys):
    torch.set_num_threads(1)
    (block,) = (b for b in page("experiments").blocks() if b.language == "python")
    exec(block.text, {})
    out = capsys.readouterr().out
    assert re.search(r" (eos|length) 0\.\d+$", out, re.M)
    assert re.search(r"^[sl]lm ' buys' (0\.\d+|None)$", out, re.M)
    log_likelihood, is_greedy = out.splitlines()[-1].split()
    assert float(log_likelihood) < 0
    assert is_greedy in ("True", "False")


@pytest.mark.parametrize("name", ["report", "samples"])
def test_pictures_are_small(root, name):
    assert (root / "docs" / "pictures" / f"{name}.png").stat().st_size < 250_000
