"""Experiments from command lines and files, and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridcore.errors import ArgumentError, HybridLMError
from hybridcore.experiment.cell import cell_of, safe
from hybridcore.experiment.choice import Choice, choices, varied
from hybridcore.experiment.experiment import Experiment
from hybridcore.experiment.experiment_file import as_toml, read_experiment
from hybridcore.experiment.plan import candidates, random_cells

PAIR = {"slm": "demo-slm", "llm": "demo-llm", "batch_size": 8}
MODELS = 'slm = "demo-slm", llm = "demo-llm"'
HEAD = f'kind = "sweep"\npair = {{ {MODELS} }}\n'
MINIMAL = HEAD + '[[strategies]]\nname = "entropy"\n'


def test_strategies_of_a_command_line() -> None:
    text = "uncertainty, dist:entropy:threshold=1.5,speculative:num_drafts=6,x=1"
    assert choices(text) == [
        Choice("uncertainty"),
        Choice("dist:entropy", {"threshold": "1.5"}),
        Choice("speculative", {"num_drafts": "6", "x": "1"}),
    ]


@pytest.mark.parametrize(
    ("params", "points", "grid"),
    [
        (
            ["threshold=0.1:0.9:9"],
            None,
            {"threshold": tuple(i / 10 for i in range(1, 10))},
        ),
        (["a=1:3:3", "b=x,y"], None, {"a": (1.0, 2.0, 3.0), "b": ("x", "y")}),
        ([], 5, {"threshold": ()}),
        (["k=2,3"], 5, {"k": ("2", "3"), "threshold": ()}),
        (["floor"], 5, {"floor": ()}),
    ],
)
def test_grids_of_a_command_line(params, points, grid) -> None:
    assert varied(Choice("x"), params, points) == Choice("x", {}, grid, points)


@pytest.mark.parametrize(
    ("params", "points", "message"),
    [
        ([], None, "nothing is varied"),
        (["threshold"], None, "'threshold' has no values"),
        (["a", "b"], 3, "one option without values"),
        (["threshold=1,2"], 3, "one option without values"),
        (["a"], 0, "points=0 for a: expected a positive"),
        (["a=1:2"], None, "param 'a=1:2': expected first:last:count"),
        (["a=1:2:0"], None, "param 'a=1:2:0': expected"),
        (["=3"], None, "param '=3': expected name="),
    ],
)
def test_grids_that_are_none(params, points, message) -> None:
    with pytest.raises(ArgumentError) as error:
        varied(Choice("x"), params, points)
    assert message in str(error.value)


def test_a_file_holds_all_of_an_experiment(tmp_path: Path) -> None:
    experiment = Experiment(
        kind="sweep",
        pair=PAIR,
        strategies=(
            Choice("uncertainty", {}, {"threshold": (0.1, 0.2)}),
            Choice("speculative", {"num_drafts": 2}),
            Choice("entropy", {}, {"threshold": ()}, 5, 0.5),
        ),
        tasks=("a", "b"),
        limit=0.5,
        gen_kwargs={"until": ["\n"], "max_gen_toks": 3, "x": None},
        metric={"": "acc", "b": "f1"},
    ).checked()
    path = tmp_path / "experiment.toml"
    path.write_text(as_toml(experiment))
    again = read_experiment(path)
    assert again.gen_kwargs["x"] == "none"
    assert vars(again) | {"gen_kwargs": 0} == vars(experiment) | {"gen_kwargs": 0}
    assert as_toml(again) == as_toml(experiment)


def test_what_a_file_leaves_out_has_its_default(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text(MINIMAL + 'options = { threshold = "0.5" }\n[strategies.grid]\n')
    found = read_experiment(path)
    models = {"slm": "demo-slm", "llm": "demo-llm"}
    entropy = Choice("entropy", {"threshold": 0.5})
    assert found == Experiment("sweep", models, (entropy,))
    path.write_text(MINIMAL + 'grid = { threshold = "0.5:1.5:3" }\n')
    assert read_experiment(path).strategies[0].grid == {"threshold": (0.5, 1.0, 1.5)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind = [", "is not TOML"),
        ("tasks = []", "kind=None: expected 'compare' or 'sweep'"),
        ('kind = "race"', "kind='race': expected"),
        ('task = "x"\n' + MINIMAL, "unknown name 'task'; did you mean 'tasks'?"),
        ('tasks = "x"\n' + MINIMAL, "tasks='x': expected list"),
        ("limit = true\n" + MINIMAL, "limit=True: expected int or float"),
        ("limit = 0\n" + MINIMAL, "limit=0: expected more than 0"),
        ("tasks = []\n" + MINIMAL, "tasks: expected at least one"),
        ('kind = "compare"', "strategies: expected at least one"),
        ("confidence = 95\n" + MINIMAL, "confidence=95: expected a number between"),
        ("resamples = 5\n" + MINIMAL, "resamples=5: expected at least 100"),
        ("random_points = -1\n" + MINIMAL, "random_points=-1: expected 0 or more"),
        ('strategies = ["entropy"]\nkind = "sweep"', "expected a table with a name"),
        (MINIMAL + "max_share = 1.5", "max_share=1.5: expected a number above 0"),
        (MINIMAL + "option = {}", "unknown name 'option'; did you mean 'options'?"),
        (MINIMAL + "options = { treshold = 1 }", "did you mean 'threshold'?"),
        (MINIMAL + "options = { threshold = -7 }", "threshold=-7"),
        (MINIMAL + "grid = { threshold = [1, -7] }", "threshold=-7"),
        (
            MINIMAL + "grid = { threshold = [1] }\noptions = { threshold = 2 }",
            "both given",
        ),
        (MINIMAL.replace("entropy", "entopy"), "did you mean 'entropy'?"),
        (
            MINIMAL.replace(MODELS, f'{MODELS}, strategy = "x"'),
            "pair: strategy='x': expected none here",
        ),
        (
            MINIMAL.replace(MODELS, f'{MODELS}, trace = "x"'),
            "pair: trace='x': expected none here",
        ),
        (MINIMAL.replace(MODELS, ""), "pair: slm is missing: expected a hub id"),
        (MINIMAL.replace(HEAD, 'kind = "sweep"\n'), "pair: slm is missing"),
        (MINIMAL.replace(", llm =", ", dtype ="), "pair: llm is missing"),
        ("limit = nan\n" + MINIMAL, "limit=nan: expected more than 0"),
        ("limit = inf\n" + MINIMAL, "limit=inf: expected more than 0"),
        ("tasks = [1]\n" + MINIMAL, "task=1: expected str"),
        ("metric = { a = 1 }\n" + MINIMAL, "metric of 'a'=1: expected str"),
        (MINIMAL + "options = []", "strategy 'entropy': options=[]: expected dict"),
        (MINIMAL + "grid = [1]", "strategy 'entropy': grid=[1]: expected dict"),
        (
            MINIMAL + "grid = { threshold = 0.5 }",
            "strategy 'entropy': grid: threshold=0.5: expected list or str",
        ),
        (MINIMAL + 'points = "3"', "strategy 'entropy': points='3': expected int"),
        (MINIMAL + "points = true", "strategy 'entropy': points=True: expected int"),
        (MINIMAL + 'max_share = "1"', "max_share='1': expected int or float"),
        (MINIMAL + "max_share = nan", "max_share=nan: expected a number above 0"),
        (MINIMAL + "points = 3", "points=3 for no option: expected a positive"),
        (
            MINIMAL + "points = 3\ngrid = { threshold = [1] }",
            "points=3 for threshold: expected a positive whole number and one option",
        ),
        (
            MINIMAL + "points = 0\ngrid = { threshold = [] }",
            "points=0 for threshold: expected a positive whole number",
        ),
        (MINIMAL + "grid = { threshold = [] }", "param 'threshold' has no values"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "e.toml"
    path.write_text(text)
    with pytest.raises(HybridLMError) as error:
        read_experiment(path)
    assert message in str(error.value)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="cannot be read"):
        read_experiment(tmp_path / "none.toml")


def test_cells_are_named_by_what_is_said() -> None:
    cell = cell_of("random", {"fraction": "0.25"})
    assert (cell.id, cell.label) == ("random-fraction=0.25", "random fraction=0.25")
    assert cell.options == {"fraction": 0.25, "seed": 0}
    names = {safe("a/b"), safe("a:b"), safe("a_b"), safe("x" * 300)}
    assert len(names) == 4
    assert all("/" not in name and len(name) < 120 for name in names)


def test_a_cell_that_stands_twice_is_refused() -> None:
    twice = [
        Choice("entropy", {"threshold": 1.0}),
        Choice("entropy", {}, {"threshold": (1,)}),
    ]
    with pytest.raises(ArgumentError, match=r"'entropy threshold=1\.0' stands twice"):
        candidates(twice)
    assert candidates([Choice("llm-only"), Choice("slm-only")]) == []


def test_random_cells_have_the_shares_of_others() -> None:
    shares = {"a": 0.5, "b": 0.0, "c": 1.0, "d": None, "e": 0.501, "f": 0.1}
    found = random_cells("t", shares, 5, alone=True)
    assert [(c.options["fraction"], c.beside) for c in found] == [
        (0.1, "f"),
        (0.5, "a"),
    ]
    assert found[0].id == "random-fraction=0.1"
    assert found[0].tasks == ("t",)
    assert random_cells("t", shares, 5, alone=False)[0].id == "random-fraction=0.1-t"
    assert random_cells("t", shares, 0, alone=True) == []
    many = {str(i): i / 20 for i in range(1, 20)}
    few = [c.options["fraction"] for c in random_cells("t", many, 3, alone=True)]
    assert few == [0.05, 0.5, 0.95]
