"""The built wheels in a fresh environment, and makers of more such."""

import runpy
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "packaging" / "fresh.py"
fresh = runpy.run_path(str(FILE))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """The wheels of the core and of two plugins, from ``make dist``."""
    dist = fresh["made_dist"](tmp_path_factory.getbasetemp() / "a checkout")
    names = ["hybridlm", "hybridlm_strategy_baselines", "hybridlm_strategy_entropy"]
    return [next(dist.glob(f"{name}-*.whl")) for name in names]


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory):
    """``make_environment(*what to install)``: a fresh environment."""

    def make(*arguments):
        made = fresh["FreshEnvironment"](tmp_path_factory.mktemp("startup") / "a venv")
        made.install(*arguments)
        return made

    return make


@pytest.fixture(scope="session")
def environment(make_environment, wheels):
    return make_environment(*wheels)


@pytest.fixture(scope="session")
def attempted():
    return fresh["attempted"]


@pytest.fixture(scope="session")
def checked():
    return fresh["checked"]


@pytest.fixture(scope="session")
def copy_of_checkout():
    return fresh["copy_of_checkout"]
