"""``hybridlm new foo``: a distribution of your own, which installs and conforms."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from ..template.project import KINDS, Project, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the name, ``--kind``, ``--into`` and ``--json``."""
    parser.add_argument("name", help="of the strategy, as in strategy=NAME")
    kinds = "; ".join(f"{name}: {kind.summary}" for name, kind in KINDS.items())
    parser.add_argument("--kind", choices=KINDS, default="router", help=kinds)
    parser.add_argument(
        "--into", type=Path, default=Path(), metavar="FOLDER", help="default: here"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Write the files and say what to do with them."""
    project = Project(arguments.name, arguments.kind)
    folder = write(project, arguments.into)
    files = [str(path) for path in sorted(folder.rglob("*")) if path.is_file()]
    enter = f"cd {shlex.quote(str(folder))}"
    steps = [enter, "pip install -e .[test]", "pytest", project.command_line()]
    if arguments.json:
        said = {"folder": str(folder), "files": files, "next": steps}
        print(json.dumps(said, indent=2))
    else:
        print("\n".join([*files, "\nnext:", *(f"    {step}" for step in steps)]))
    return 0
