"""Fresh environments that see the project's dependencies, but not the checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = ["", "_strategy_baselines", "_strategy_entropy"]
DISTRIBUTIONS += ["_strategy_speculative", "_strategy_uncertainty"]
LEFT_OUT = shutil.ignore_patterns(
    ".*_cache", ".git", ".venv", "__pycache__", "build", "dist"
)
OURS = re.compile(r"_?hybrid|.*\.pth$|__pycache__$")


def copy_of_checkout(target: Path) -> Path:
    """The files of the checkout, without its environment and its history."""
    if not (ROOT / "plugins").is_dir():
        pytest.skip("the plugins are not here: this needs the whole checkout")
    return Path(shutil.copytree(ROOT, target, ignore=LEFT_OUT))


def made_dist(folder: Path) -> Path:
    """What ``make dist`` builds from a copy at ``folder``; built there once."""
    dist = folder / "dist"
    if not dist.exists():
        copy_of_checkout(folder)
        # the running environment has what the Makefile would install
        (folder / ".venv").symlink_to(sys.prefix)
        ready = ".venv/ready"
        checked(["make", "dist", f"READY={ready}", f"--assume-old={ready}"], folder)
    return dist


def checked(command, cwd, **variables) -> str:
    """Run; the output, or an assertion that shows it."""
    done = attempted(command, cwd, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def attempted(command, cwd, **variables) -> subprocess.CompletedProcess:
    """Run without anything that points at the checkout; HYBRIDLM_* set anew."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "HYBRIDLM_", "VIRTUAL_ENV", "MAKE"))
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


class FreshEnvironment:
    """A new virtual environment, with the running one's packages less ours."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.bin = folder / "bin"
        checked([sys.executable, "-m", "venv", "--without-pip", folder], folder.parent)
        self.site = Path(self.python("import site; print(site.getsitepackages()[0])"))
        self._link_dependencies()
        self.write_script("lm_eval")
        self.write_script("accelerate")

    def _link_dependencies(self) -> None:
        links = self.folder / "dependencies"
        links.mkdir()
        for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
            for entry in Path(folder).iterdir():
                if not OURS.match(entry.name):
                    (links / entry.name).symlink_to(entry)
        (self.site / "dependencies.pth").write_text(f"{links}\n")

    def write_script(self, name: str) -> None:
        """The console script as an installer writes it."""
        (entry,) = entry_points(group="console_scripts", name=name)
        main = f"from {entry.module} import {entry.attr} as main"
        # a path with a space makes no #! line: sh hands over to Python instead
        opening = "#!/bin/sh\n'''exec' \"{0}\" \"$0\" \"$@\"\n' '''\n"
        script = self.bin / name
        script.write_text(
            f"{opening.format(self.bin / 'python')}import sys\n{main}\nsys.exit(main())"
        )
        script.chmod(0o755)

    def python(self, code: str, cwd: Path | None = None, **variables: str) -> str:
        """Run ``python -c code``; what it printed."""
        command = [self.bin / "python", "-c", code]
        return checked(command, cwd or self.folder, **variables).strip()

    def pip(self, *arguments) -> str:
        command = [self.bin / "python", "-m", "pip", "--disable-pip-version-check"]
        return checked([*command, *arguments], self.folder)

    def files(self) -> set[Path]:
        """What lies in site-packages and among the scripts, bytecode aside."""
        found = {*self.site.rglob("*"), *self.bin.iterdir()}
        return {path for path in found if "__pycache__" not in path.parts}

    def install(self, *arguments) -> None:
        """Install what is named, and nothing from anywhere else."""
        self.pip("install", "--no-deps", "--no-index", *arguments)
