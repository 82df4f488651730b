"""What a benchmark hands back: text for people, a dictionary for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..whole_file import write_whole
from .comparison import Comparison
from .machine import Machine, described
from .table import of_lines


@dataclass
class Report:
    """The outcome of one benchmark.

    Attributes:
        text: tables and what belongs to them.
        data: the same and more, ready for JSON.
        agreed: every output that had to be equal was.
    """

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    agreed: bool = True

    def write(self, path: str) -> None:
        """Write ``data`` as JSON."""
        text = json.dumps(self.data, indent=2, default=str)
        write_whole(Path(path), text + "\n")


def report(
    comparisons: Sequence[Comparison],
    machine: Machine,
    columns: Sequence[str],
    notes: Sequence[str],
) -> Report:
    """Put comparisons into one report; ``notes`` say what the columns are."""
    parts = [_section(comparison, columns) for comparison in comparisons]
    return Report(
        text="\n\n".join([*parts, "\n".join([machine_line(machine), *notes])]),
        data={
            "machine": described(machine.device)
            | {
                "dtype": str(machine.dtype).removeprefix("torch."),
                "operations_per_s": machine.operations,
                "bytes_per_s": machine.bandwidth,
            },
            "comparisons": [comparison.as_dict() for comparison in comparisons],
        },
        agreed=all(comparison.agreed for comparison in comparisons),
    )


def machine_line(machine: Machine) -> str:
    """Return one line on what was measured on, with the limits measured."""
    return (
        f"{short_machine_line(machine)}; a large matrix product reaches "
        f"{machine.operations / 1e9:,.0f} GFLOP/s, memory "
        f"{machine.bandwidth / 1e9:,.1f} GB/s"
    )


def short_machine_line(machine: Machine) -> str:
    """Return one line on what was measured on."""
    facts = described(machine.device)
    versions = ", ".join(f"{n} {v}" for n, v in facts["versions"].items())
    return (
        f"{facts['accelerator'] or facts['processor']}, {facts['threads']} threads, "
        f"{str(machine.dtype).removeprefix('torch.')}, Python {facts['python']}, "
        f"{versions}"
    )


def _section(comparison: Comparison, columns: Sequence[str]) -> str:
    workload = comparison.workload
    rounds = len(comparison.lines[0].seconds)
    lines = [
        f"{workload.name}: {len(workload)} requests of {workload.kind}, "
        f"medians of {rounds} rounds",
        "",
        of_lines(comparison.lines, columns),
        "",
        *map(str, comparison.agreements),
    ]
    for name, search in comparison.searches.items():
        tried = ", ".join(f"{n}: {s:.2f} s" for n, s in search.seconds.items())
        lines.append(f"{name} by batch size, on a sample: {tried or 'not searched'}")
        if search.worst is not None and search.seconds:
            lines.append(f"{name} against itself at other sizes: {search.worst:.1e}")
    lines += [f"{name}: {value}" for name, value in comparison.facts.items()]
    return "\n".join(lines)
