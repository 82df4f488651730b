"""Strategies installed for one test: a folder of the import path, with metadata."""

import importlib
import os
import sys

import pytest
import torch

from .mutants.distributions import Distribution


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """``installed(distribution)``, or its fields: the entry's full name."""

    def install(distribution=None, **fields):
        made = distribution or Distribution(**fields)
        folder = tmp_path / "site"
        folder.mkdir(exist_ok=True)
        made.install(folder)
        monkeypatch.syspath_prepend(folder)
        before = os.environ.get("PYTHONPATH", "")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), before]))
        # in a fresh state, however often this module name was used
        monkeypatch.delitem(sys.modules, made.module, raising=False)
        importlib.invalidate_caches()
        return f"{made.name}:{made.entry}"

    return install
