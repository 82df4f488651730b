"""Imports point one way, and what a strategy imports costs torch alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hybridcore

ROOT = Path(hybridcore.__file__).parent
# bottom to top: a module may import what stands in a line above its own
LAYERS = [
    ["errors", "magnitude", "precision", "processor", "whole_file", "wilson"],
    ["exchange", "signals", "options", "tally", "transfer"],
    ["laws", "hookspecs", "hook_checks"],
    ["strategy"],
    ["discovery"],
    ["dispatch"],
    ["models"],
    ["decoding", "scoring"],
    ["demo"],
    ["harness"],
    ["completion"],
    ["hybrid"],
    ["bench", "conformance", "experiment", "report", "template"],
    ["doctor"],
    ["cli"],
    ["startup"],
]
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names}


def imported(path):
    """Every module that a file imports, wherever in it the import stands."""
    inside = path.is_relative_to(ROOT)
    package = ("hybridcore", *path.relative_to(ROOT).parts[:-1]) if inside else ()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            tail = tuple(node.module.split(".")) if node.module else ()
            if tail:
                yield ".".join(base + tail)
            else:
                yield from (".".join((*base, alias.name)) for alias in node.names)


def part(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


# the package itself gathers what users import
FILES = sorted(path for path in ROOT.rglob("*.py") if part(path) != "__init__")


def own(module):
    """The part of hybridcore that a module belongs to, None for others and itself."""
    names = module.split(".")
    known = names[0] == "hybridcore" and len(names) > 1
    return names[1] if known and names[1] in LAYER else None


def test_every_part_has_a_layer():
    assert {part(path) for path in FILES} <= set(LAYER)


def test_imports_point_down():
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in FILES
        for module in imported(path)
        if own(module) not in (None, part(path))
        and LAYER[own(module)] >= LAYER[part(path)]
    ]
    assert not wrong


def test_nothing_imports_the_harness_but_what_stands_on_it():
    users = {
        part(path)
        for path in FILES
        if any(own(module) == "harness" for module in imported(path))
    }
    above = {"bench", "cli", "conformance", "doctor", "experiment", "hybrid"}
    assert users <= {"harness", *above}


@pytest.mark.parametrize("name", ["exchange", "laws", "signals"])
def test_what_strategies_import_needs_torch_alone(name):
    foreign = {
        module.split(".")[0]
        for module in imported(ROOT / f"{name}.py")
        if own(module) is None
    }
    assert foreign - sys.stdlib_module_names <= {"torch"}


def test_the_conformance_suite_starts_without_transformers():
    """It asks tables; importing transformers takes longer than all its questions."""
    code = "import sys; from hybridcore.conformance import suite; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    loaded = set(ran.stdout.split())
    assert "hybridcore.conformance.suite" in loaded
    assert not {"transformers", "lm_eval"} & loaded


def test_what_plugins_import_is_public():
    """Shipped plugins are what authors copy: they use exported names alone."""
    public = {"hybridcore", "hybridcore.laws", "hybridcore.signals"}
    for path in ROOT.parent.glob("plugins/*/*.py"):
        used = {m for m in imported(path) if m.split(".")[0] == "hybridcore"}
        assert used <= public | {f"hybridcore.{name}" for name in hybridcore.__all__}
