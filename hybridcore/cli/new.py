"""``hybridlm new foo``: a distribution of your own, which installs and conforms."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..template.project import KINDS, Project, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the name, ``--kind`` and ``--into``."""
    parser.add_argument("name", help="of the strategy, as in strategy=NAME")
    kinds = "; ".join(f"{name}: {kind.summary}" for name, kind in KINDS.items())
    parser.add_argument("--kind", choices=KINDS, default="router", help=kinds)
    parser.add_argument(
        "--into", type=Path, default=Path(), metavar="FOLDER", help="default: here"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the files and say what to do with them."""
    project = Project(arguments.name, arguments.kind)
    folder = write(project, arguments.into)
    print("\n".join(str(path) for path in sorted(folder.rglob("*")) if path.is_file()))
    print(
        f"\nnext:\n"
        f"    cd {folder}\n"
        f"    pip install -e .[test]\n"
        f"    pytest\n"
        f"    {project.command_line()}"
    )
    return 0
