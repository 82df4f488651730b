"""The page of recipes shows the files that are tested, and nothing else."""

import re
import sys

import torch


def test_every_recipe_is_on_the_page(page, root):
    shown = re.findall(r'^--8<-- "(.*)"$', page("recipes").text, re.M)
    files = (root / "tests" / "recipes").glob("*.py")
    names = [file.name for file in files]
    recipes = [n for n in names if not n.startswith("test_") and n != "conftest.py"]
    assert sorted(shown) == sorted(f"tests/recipes/{name}" for name in recipes)
    titles = [block.title for block in page("recipes").blocks() if block.title]
    assert titles == shown


def test_the_script_runs(page, root, monkeypatch, capsys):
    torch.set_num_threads(1)
    monkeypatch.syspath_prepend(str(root / "tests" / "recipes"))
    (block,) = (b for b in page("recipes").blocks() if not b.title)
    exec(block.text, {})
    sys.modules.pop("adaptive_drafts")
    accuracy, forwards = capsys.readouterr().out.split()[-2:]
    assert 0.8 <= float(accuracy) <= 1.0
    assert 0 < int(forwards) < 200
