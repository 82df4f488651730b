"""The start-up module's functions, against registries and loaders made here."""

import runpy
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

FILE = Path(__file__).parents[2] / "hybridcore/startup/_hybridlm_startup.py"
WATCHED = "lm_eval.models"
TARGET = "hybridcore.harness.hybrid_lm:HybridLM"


class Registry(dict):
    """As lm_eval's: a name is registered once."""

    def register(self, name, target):
        if name in self:
            raise ValueError(f"{name} is registered already")
        self[name] = target


class Loader:
    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.executed = True


class SealedLoader(Loader):
    def __setattr__(self, name, value):
        raise AttributeError(f"{name} is read-only")


class OtherFinder:
    """Stands for whatever finds lm_eval.models on a path."""

    def __init__(self, loader):
        self.loader = loader

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self.loader) if name == WATCHED else None


@pytest.fixture
def bridge(monkeypatch):
    monkeypatch.delenv("HYBRIDLM_BRIDGE", raising=False)
    monkeypatch.delitem(sys.modules, WATCHED, raising=False)
    return SimpleNamespace(**runpy.run_path(str(FILE)))


@pytest.fixture
def registry(monkeypatch):
    module = ModuleType("lm_eval.api.registry")
    module.model_registry = Registry()
    monkeypatch.setitem(sys.modules, "lm_eval.api.registry", module)
    return module.model_registry


@pytest.fixture
def meta_path(monkeypatch):
    """Finders put here leave with the test."""
    finders = []
    monkeypatch.setattr(sys, "meta_path", finders)
    return finders


def executed(spec):
    module = ModuleType(spec.name)
    spec.loader.exec_module(module)
    return module.executed


def test_registers_the_class(bridge, registry):
    bridge._register()
    assert registry == {"hybrid": TARGET}


def test_no_clash_with_the_entry_point(bridge, registry):
    registry["hybrid"] = "registered by lm_eval's next release"
    bridge._register()
    assert registry == {"hybrid": "registered by lm_eval's next release"}


def test_registers_after_the_module_ran(bridge, registry, meta_path):
    finder = bridge._Finder()
    meta_path += [finder, object(), OtherFinder(Loader())]

    spec = finder.find_spec(WATCHED)
    assert not registry
    assert executed(spec)
    assert registry == {"hybrid": TARGET}


def test_running_the_module_again_is_no_clash(bridge, registry, meta_path):
    finder = bridge._Finder()
    meta_path += [finder, OtherFinder(Loader())]
    assert executed(finder.find_spec(WATCHED))
    assert executed(finder.find_spec(WATCHED))
    assert registry == {"hybrid": TARGET}


def test_other_imports_are_not_touched(bridge, meta_path):
    finder = bridge._Finder()
    meta_path += [finder, OtherFinder(Loader())]
    assert finder.find_spec("lm_eval") is None
    assert finder.find_spec("json") is None


def test_without_lm_eval_nothing_is_found(bridge, meta_path):
    finder = bridge._Finder()
    meta_path.append(finder)
    assert finder.find_spec(WATCHED) is None


@pytest.mark.parametrize("loader", [None, object()])
def test_a_loader_that_cannot_run_is_left_alone(bridge, meta_path, loader):
    finder = bridge._Finder()
    meta_path += [finder, OtherFinder(loader)]
    assert finder.find_spec(WATCHED).loader is loader


def test_a_loader_that_takes_no_attributes_still_runs(
    bridge, registry, meta_path, caplog
):
    finder = bridge._Finder()
    meta_path += [finder, OtherFinder(SealedLoader())]
    spec = finder.find_spec(WATCHED)
    module = SimpleNamespace()
    spec.loader.exec_module(module)

    assert module.executed
    assert not registry
    assert "could not be registered with lm_eval: exec_module is" in caplog.text


def test_install_waits_once(bridge, meta_path):
    bridge.install()
    bridge.install()
    assert [type(finder) for finder in meta_path] == [bridge._Finder]


def test_install_can_be_switched_off(bridge, meta_path, monkeypatch):
    monkeypatch.setenv("HYBRIDLM_BRIDGE", "0")
    bridge.install()
    assert not meta_path


def test_install_comes_too_late(bridge, meta_path, monkeypatch):
    monkeypatch.setitem(sys.modules, WATCHED, ModuleType(WATCHED))
    bridge.install()
    assert not meta_path
