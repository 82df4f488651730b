"""``hybridlm doctor``: what is installed, whether it is found, and whether it works."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from ..doctor import PARTS, examine
from ..doctor.finding import Finding

_WIDTH = max(map(len, PARTS))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Look at every part and print it; the exit code is 1 where one is broken."""
    console = Console(soft_wrap=True, highlight=False)
    found: dict[str, Finding] = {}
    for part, finding in _watched():
        found[part] = finding
        if not arguments.json:
            console.print(_line(part, finding))
    if arguments.json:
        print(json.dumps(_as_dict(found), indent=2))
    else:
        for line in _verdict(found):
            console.print(line)
    return int(any(finding.problems for finding in found.values()))


def _watched() -> Iterator[tuple[str, Finding]]:
    """Yield the findings; on a terminal, show meanwhile that something goes on."""
    errors = Console(stderr=True)
    if not errors.is_terminal:
        yield from examine()
        return
    with errors.status("") as status:
        waiting = list(PARTS)
        status.update(waiting[0])
        for part, finding in examine():
            waiting.remove(part)
            yield part, finding
            status.update(waiting[0] if waiting else "")


def _line(part: str, finding: Finding) -> Text:
    style = "bold red" if finding.problems else "bold green"
    return Text.assemble((part.ljust(_WIDTH), style), "  ", finding.summary)


def _verdict(found: dict[str, Finding]) -> Iterator[Text]:
    problems = [text for finding in found.values() for text in finding.problems]
    yield Text("")
    if not problems:
        yield Text("everything works")
    for text in problems:
        first, *rest = text.splitlines()
        yield Text.assemble(("broken: ", "bold red"), first)
        yield from (Text(f"        {line}") for line in rest)


def _as_dict(found: dict[str, Finding]) -> dict[str, Any]:
    parts = {part.replace(" ", "_"): dict(f.facts) for part, f in found.items()}
    problems = {part: list(f.problems) for part, f in found.items() if f.problems}
    return {"ok": not problems, "problems": problems, **parts}
