"""The distributions, built once."""

import runpy
from pathlib import Path

import pytest

fresh = runpy.run_path(str(Path(__file__).with_name("fresh.py")))


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    return fresh["made_dist"](tmp_path_factory.getbasetemp() / "a checkout")


@pytest.fixture(scope="session")
def environment(dist, tmp_path_factory):
    """All five wheels, each built from its sdist, in a fresh environment."""
    made = fresh["FreshEnvironment"](tmp_path_factory.mktemp("packaging") / "a venv")
    made.install(*dist.glob("*.whl"))
    return made


@pytest.fixture(scope="session")
def from_sdists(dist, tmp_path_factory):
    """The same, built by pip from the five sdists."""
    made = fresh["FreshEnvironment"](tmp_path_factory.mktemp("sdists") / "a venv")
    made.install("--no-build-isolation", *dist.glob("*.tar.gz"))
    return made


@pytest.fixture(scope="session")
def attempted():
    return fresh["attempted"]


@pytest.fixture(scope="session")
def checked():
    return fresh["checked"]
