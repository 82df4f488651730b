"""``hybridlm bench routing``: how often the LLM runs, against the batch size."""

from __future__ import annotations

import argparse
from typing import Any

import torch

from . import command_line
from .inspection import inspect
from .loaded import load_pair, selection
from .machine import Machine, described
from .ours import Ours
from .report import Report, short_machine_line
from .rounds import interleaved
from .spread import spread
from .table import table
from .workload import GENERATION, Workload, workloads

HELP = "LLM forwards for each emitted token of a router, against batch size"
HEADER = (
    "routing",
    "batch",
    "seconds (min..max)",
    "tokens/s",
    "LLM tokens",
    "LLM calls",
    "calls/token",
    "calls/LLM token",
    "SLM calls",
)
NOTES = (
    "LLM tokens: share of the emitted tokens that the LLM chose. A call reads every",
    "row that waits for it, so calls for each token fall as rows wait together.",
)
_SIZES = [1, 2, 4, 8, 16]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add models, tasks, the router and the batch sizes."""
    command_line.add_models(parser, batch_size=8)
    command_line.add_tasks(parser, "hybrid_demo_generation")
    parser.add_argument("--strategy", default="uncertainty", help="[uncertainty]")
    parser.add_argument("--threshold", type=float, default=0.1, help="[0.1]")
    parser.add_argument(
        "--batch-sizes",
        type=command_line.sizes,
        default=_SIZES,
        help="[1,2,4,8,16]",
    )


def run(arguments: argparse.Namespace) -> Report:
    """Run every batch size on every task; texts must not depend on it."""
    loads = workloads(selection(arguments), GENERATION)
    base = load_pair(arguments)
    results = [_measure(workload, base, arguments) for workload in loads]
    machine = Machine(torch.device(base.device), base.model.dtype)
    texts = [_section(result, arguments) for result in results]
    return Report(
        text="\n\n".join([*texts, "\n".join([short_machine_line(machine), *NOTES])]),
        data={"machine": described(machine.device), "routing": results},
        agreed=all(not result["texts_that_differ"] for result in results),
    )


def _measure(
    workload: Workload, base: Any, arguments: argparse.Namespace
) -> dict[str, Any]:
    name, options = arguments.strategy, {"threshold": arguments.threshold}
    sides = [Ours(base, name, rows, **options) for rows in arguments.batch_sizes]
    seen = [inspect(side, workload) for side in sides]
    seconds = interleaved(sides, workload, arguments.rounds)
    texts = zip(*(each.outputs for each in seen), strict=True)
    lines = [
        _line(side.batch_size, taken, each.counts)
        for side, taken, each in zip(sides, seconds, seen, strict=True)
    ]
    return {
        "workload": workload.name,
        "requests": len(workload),
        "texts_that_differ": sum(len(set(answers)) > 1 for answers in texts),
        "lines": lines,
    }


def _line(rows: int | None, seconds: list[float], counts: Any) -> dict[str, Any]:
    tokens, chosen = counts["tokens_out"], counts["tokens_from_llm"]
    calls = counts.get("llm_calls", 0)
    return {
        "batch_size": rows,
        "seconds": seconds,
        "tokens_per_s": tokens / spread(seconds).median,
        "llm_token_fraction": counts["llm_token_fraction"],
        "llm_calls": calls,
        "slm_calls": counts.get("slm_calls", 0),
        "llm_calls_per_token": calls / tokens if tokens else None,
        "llm_calls_per_llm_token": calls / chosen if chosen else None,
        "counts": dict(counts),
    }


def _section(result: dict[str, Any], arguments: argparse.Namespace) -> str:
    label = f"{arguments.strategy}, {arguments.threshold:g}"
    rows = [
        (
            label,
            line["batch_size"],
            f"{spread(line['seconds']):.3f}",
            f"{line['tokens_per_s']:,.1f}",
            f"{line['llm_token_fraction'] or 0:.1%}",
            f"{line['llm_calls']:,}",
            f"{line['llm_calls_per_token'] or 0:.4f}",
            f"{line['llm_calls_per_llm_token'] or 0:.3f}",
            f"{line['slm_calls']:,}",
        )
        for line in result["lines"]
    ]
    return "\n".join(
        [
            f"{result['workload']}: {result['requests']} requests, medians of "
            f"{arguments.rounds} rounds",
            "",
            table(HEADER, rows),
            "",
            f"texts that differ between batch sizes: {result['texts_that_differ']}",
        ]
    )
