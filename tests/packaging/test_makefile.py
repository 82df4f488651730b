"""The Makefile makes its environment, and repairs a half-made one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# stands for Python: notes what it is asked, makes environments of itself
PYTHON = """#!/bin/sh
echo "$@" >> calls
case "$*" in
  "-m venv --clear .venv")
    rm -rf .venv; mkdir -p .venv/bin; cp ./python .venv/bin/python
    printf '#!/bin/sh\\necho ran' > .venv/bin/hybridlm; chmod +x .venv/bin/hybridlm;;
  *"-m pip install"*) test ! -e offline;;
  "-c import pip"*) test ! -e .venv/no-pip;;
esac
"""
VENV = "-m venv --clear .venv"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if not (ROOT / "Makefile").exists():
        pytest.skip("no Makefile here: this needs the whole checkout")
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copy(ROOT / "requirements-dev.txt", folder)
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o755)
    return folder


def make(folder: Path) -> tuple[int, list[str]]:
    """Run ``make demo``; return its exit code and what Python was asked."""
    (folder / "calls").write_text("")
    done = subprocess.run(
        ["make", "demo", "PYTHON=./python"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode or "ran" in done.stdout, done.stderr
    return done.returncode, (folder / "calls").read_text().splitlines()


def installs(calls: list[str]) -> list[str]:
    return [call.split()[-1] for call in calls if "-m pip install" in call]


def test_it_installs_once(checkout: Path) -> None:
    code, calls = make(checkout)
    assert code == 0
    assert VENV in calls
    assert installs(calls) == ["torch", "requirements-dev.txt"]
    assert make(checkout) == (0, [])
    (checkout / "constraints.txt").touch()
    _, calls = make(checkout)
    assert VENV not in calls
    assert installs(calls) == ["torch", "requirements-dev.txt"]


def empty(folder: Path) -> None:
    (folder / ".venv").mkdir()


def without_python(folder: Path) -> None:
    make(folder)
    (folder / ".venv/bin/python").unlink()


def without_pip(folder: Path) -> None:
    make(folder)
    (folder / ".venv/no-pip").touch()


def of_a_python_that_is_gone(folder: Path) -> None:
    make(folder)
    (folder / ".venv/bin/python").unlink()
    (folder / ".venv/bin/python").symlink_to("/no/such/python")


def killed(folder: Path) -> None:
    make(folder)
    (folder / ".venv/half-made").touch()


@pytest.mark.parametrize(
    "damage", [empty, without_python, without_pip, of_a_python_that_is_gone, killed]
)
def test_a_half_made_environment_is_made_anew(checkout: Path, damage) -> None:
    damage(checkout)
    for ready in checkout.glob(".venv/ready-*"):
        ready.unlink()
    code, calls = make(checkout)
    assert code == 0
    assert VENV in calls
    assert installs(calls) == ["torch", "requirements-dev.txt"]
    assert make(checkout) == (0, [])


def test_a_failed_download_is_tried_again_where_it_was(checkout: Path) -> None:
    (checkout / "offline").touch()
    code, calls = make(checkout)
    assert code != 0
    assert installs(calls) == ["torch"]
    (checkout / "offline").unlink()
    code, calls = make(checkout)
    assert code == 0
    assert VENV not in calls


def test_a_checkout_that_moved_installs_again(checkout: Path) -> None:
    make(checkout)
    moved = checkout.with_name("elsewhere")
    checkout.rename(moved)
    code, calls = make(moved)
    assert code == 0
    assert installs(calls) == ["torch", "requirements-dev.txt"]
