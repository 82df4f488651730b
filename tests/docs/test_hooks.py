"""The page of hooks: names, what they get, fields, and where they are described."""

import dataclasses
import inspect
import re
import typing

import pytest

import hybridcore
from hybridcore import exchange, laws, signals
from hybridcore.hookspecs import Hooks
from hybridcore.strategy import HOOKS

OBJECTS = {
    name: value
    for name, value in vars(exchange).items()
    if dataclasses.is_dataclass(value)
}


def test_each_hook_with_what_it_gets_and_returns(page):
    table = {row[0]: row for row in page("hooks").rows()}
    assert list(table) == [f"`{name}`" for name in HOOKS]
    for name in HOOKS:
        hints = typing.get_type_hints(getattr(Hooks, name))
        answer = hints.pop("return")
        (given,) = hints.values()
        assert table[f"`{name}`"][1] == f"`{given.__name__}`"
        named = [kind for kind in OBJECTS if f"`{kind}`" in table[f"`{name}`"][2]]
        kinds = [t.__name__ for t in typing.get_args(answer) if t.__name__ in OBJECTS]
        assert named == kinds


@pytest.mark.parametrize("kind", OBJECTS)
def test_each_field_is_described(kind):
    """The page shows docstrings, so a field must be in that of its class."""
    text = inspect.cleandoc(OBJECTS[kind].__doc__)
    described = re.findall(r"^    ([\w, ]+):", text, re.M)
    names = {name for line in described for name in line.split(", ")}
    fields = [field.name for field in dataclasses.fields(OBJECTS[kind])]
    shown = names | set(re.findall(r"``(\w+)``", text))
    # ``Step.tokens`` is how authors read the sequences
    assert set(fields) - shown <= {"sequences"}


def test_everything_that_hooks_use_is_exported():
    assert set(OBJECTS) <= set(hybridcore.__all__)
    others = {"Strategy", "hookimpl", "option", "uniform_of"}
    assert others <= set(hybridcore.__all__)


def test_the_page_shows_the_modules(page):
    shown = re.findall(r"^::: (\S+)", page("hooks").text, re.M)
    assert {"hybridcore.hookspecs.Hooks", "hybridcore.exchange"} <= set(shown)
    for module in (signals, laws):
        assert module.__name__ in shown
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                assert name.startswith("_") or function.__doc__


def test_the_example_is_a_strategy(page):
    (block,) = page("hooks").blocks()
    made = {}
    exec(block.text, made)
    assert made["Entropy"]().threshold == 2.0
    assert made["Entropy"].hooks() == {"route_token"}
