"""The mutants in docs/conformance.md: read by the tests, and written anew.

``python -m tests.conformance.mutant_table`` at the root of the checkout runs all
mutants and writes what kills them.
"""

from __future__ import annotations

import functools
import importlib
import sys
import tempfile
from pathlib import Path

from hybridcore.conformance import check_strategy

from .mutants.catalogue import ALL, IDS, failed, kills
from .mutants.distributions import InstalledMutant
from .mutants.registry import Mutant

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
BEGIN, END = "<!-- mutants: begin -->", "<!-- mutants: end -->"


@functools.cache
def documented() -> dict[str, list[str]]:
    """For each mutant of the page the ids of the checks that kill it."""
    text = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "`" in line]
    return {row[0].strip("` "): row[2].replace("**", "").split(", ") for row in rows}


def table() -> str:
    """Run all mutants; the two tables of the page."""
    found = {name: _killed_by(mutant) for name, mutant in ALL.items()}
    lines = ["| mutant | what is wrong with it | killed by |", "|---|---|---|"]
    for name, ids in found.items():
        shown = ", ".join(f"**{i}**" if i == ALL[name].aim else i for i in ids)
        lines.append(f"| `{name}` | {ALL[name].fault} | {shown} |")
    lines += ["", "| check | mutants killed |", "|---|---|"]
    for id in IDS:
        killed = [name for name, ids in found.items() if id in ids]
        lines.append(f"| {id} | {len(killed)}: {', '.join(killed)} |")
    return "\n".join(lines)


def _killed_by(mutant: Mutant | InstalledMutant) -> list[str]:
    if isinstance(mutant, Mutant):
        return kills(mutant)
    with tempfile.TemporaryDirectory() as folder:
        mutant.distribution.install(Path(folder))
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
        name = f"{mutant.distribution.name}:{mutant.distribution.entry}"
        results = check_strategy(name, only=mutant.only)
        sys.path.remove(folder)
    return failed(results)


def main() -> None:
    """Write the tables between the marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
