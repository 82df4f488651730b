"""From names to strategies: only what is asked for is imported, errors are exact."""

import importlib.metadata as metadata

import pytest

from hybridcore import Route, Strategy, discovery, hookimpl, option
from hybridcore.errors import (
    ArgumentError,
    StrategyBroken,
    StrategyCollision,
    StrategyNotFound,
)


class Good(Strategy):
    """Keeps everything."""

    level: int = option(1)

    @hookimpl
    def route_token(self, step):
        return Route(step.pending * 0)


class FakeDistribution:
    def __init__(self, name):
        self.name, self.version = name, "0.1"


def point(name, value, distribution):
    found = metadata.EntryPoint(name, value, discovery.GROUP)
    vars(found)["dist"] = FakeDistribution(distribution)
    return found


@pytest.fixture
def installed(monkeypatch):
    points = [
        point("good", f"{__name__}:Good", "hybridlm-strategy-good"),
        point("broken", "no_such_module_anywhere:X", "hybridlm-strategy-broken"),
        point("number", "math:pi", "hybridlm-strategy-number"),
        point("twice", f"{__name__}:Good", "dist-a"),
        point("twice", f"{__name__}:Good", "dist-b"),
    ]
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _self())
    monkeypatch.setattr(discovery, "entry_points", lambda group: points)


def _self():
    import types

    module = types.ModuleType(__name__)
    module.Good = Good
    return module


def test_creates_by_name_with_options(installed):
    strategy = discovery.create("good", {"level": "3"})
    assert strategy.level == 3
    assert type(strategy).__name__ == "Good"


def test_an_instance_passes_through():
    good = Good(level=2)
    assert discovery.create(good, {}) is good
    with pytest.raises(ArgumentError, match="beside a strategy instance"):
        discovery.create(good, {"level": 3})


def test_unknown_name(installed):
    with pytest.raises(StrategyNotFound) as error:
        discovery.create("god", {})
    assert "no strategy named 'god'; did you mean 'good'?" in str(error.value)
    assert "installed: broken, good, number, twice" in str(error.value)


def test_broken_import_hurts_only_who_names_it(installed):
    with pytest.raises(StrategyBroken) as error:
        discovery.create("broken", {})
    assert "strategy 'broken' from hybridlm-strategy-broken 0.1" in str(error.value)
    assert "No module named 'no_such_module_anywhere'" in str(error.value)
    assert discovery.create("good", {})


def test_what_is_no_strategy(installed):
    with pytest.raises(StrategyBroken, match="expected a subclass of Strategy"):
        discovery.create("number", {})


def test_collision_names_both_and_the_way_out(installed):
    with pytest.raises(StrategyCollision) as error:
        discovery.create("twice", {})
    assert "dist-a, dist-b" in str(error.value)
    assert "strategy=dist-a:twice" in str(error.value)
    assert discovery.create("dist-b:twice", {})


def test_listings_show_broken_ones_with_the_reason(installed):
    listed = {entry.name: entry for entry in discovery.listings()}
    assert listed["good"].strategy.__name__ == "Good"
    assert listed["broken"].strategy is None
    assert "No module named" in listed["broken"].reason


def test_misspelt_hook():
    class Typo(Strategy):
        @hookimpl
        def route_tokens(self, step):
            return None

    with pytest.raises(StrategyBroken, match="did you mean 'route_token'"):
        discovery.plugin_manager(Typo())


def test_unmarked_hook():
    class Forgot(Strategy):
        def verify(self, block):
            return None

    with pytest.raises(StrategyBroken, match="verify is not marked as a hook"):
        discovery.plugin_manager(Forgot())


def test_wrong_argument():
    class Wrong(Strategy):
        @hookimpl
        def verify(self, blok):
            return None

    with pytest.raises(StrategyBroken, match="blok"):
        discovery.plugin_manager(Wrong())


def test_two_models_do_not_see_each_other():
    first, second = (discovery.plugin_manager(Good()) for _ in range(2))
    assert len(first.get_plugins()) == len(second.get_plugins()) == 1
