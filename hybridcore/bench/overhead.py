"""``hybridlm bench overhead``: what the plugin layer costs of a run."""

from __future__ import annotations

import argparse
from typing import Any

import torch

from . import command_line
from .hook_clock import HookClock
from .loaded import load_pair, selection
from .machine import Machine, described
from .ours import Ours
from .report import Report, short_machine_line
from .spread import Spread, spread
from .table import table
from .workload import GENERATION, Workload, workloads

HELP = "share of a run that goes into dispatching and checking hooks"
HEADER = (
    "strategy",
    "batch",
    "seconds (min..max)",
    "steps",
    "hook calls",
    "us a step",
    "plugin layer (min..max)",
    "strategies' own work",
)
NOTES = (
    "Plugin layer: time between the engine's call and the strategy's function, and the",
    "checks of what it returns. Strategies' own work: inside their functions. Steps:",
    "calls of either model. What reading the clock costs is in the layer's share.",
)
STRATEGIES: dict[str, dict[str, Any]] = {
    "uncertainty": {"threshold": 0.1},
    "entropy": {"threshold": 0.5},
    "speculative": {"num_drafts": 4},
}


class TimedOurs(Ours):
    """Ours with a clock in its dispatcher."""

    clock: HookClock

    def forget(self, workload: Workload) -> None:
        """Start with a new clock."""
        super().forget(workload)
        self.clock = HookClock(self.lm.dispatcher)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add models and tasks."""
    command_line.add_models(parser, batch_size=8)
    command_line.add_tasks(parser, "hybrid_demo_generation")


def run(arguments: argparse.Namespace) -> Report:
    """Measure three strategies at batch 1 and at the batch size given."""
    loads = workloads(selection(arguments), GENERATION)
    base = load_pair(arguments)
    sides = [
        TimedOurs(base, strategy, rows, strategy, **options)
        for strategy, options in STRATEGIES.items()
        for rows in sorted({1, arguments.batch_size})
    ]
    lines = [
        _measure(side, workload, arguments.rounds)
        for workload in loads
        for side in sides
    ]
    machine = Machine(torch.device(base.device), base.model.dtype)
    tail = "\n".join([short_machine_line(machine), *NOTES])
    return Report(
        text=f"{table(HEADER, [_cells(line) for line in lines])}\n\n{tail}",
        data={
            "machine": described(machine.device),
            "lines": lines,
        },
    )


def _measure(side: TimedOurs, workload: Workload, rounds: int) -> dict[str, Any]:
    side.run(workload)
    passes = []
    for _ in range(rounds):
        done = side.run(workload)
        steps = sum(done.counts.get(f"{role}_calls", 0) for role in ("slm", "llm"))
        passes.append((done.seconds, side.clock, steps))
    return {
        "workload": workload.name,
        "strategy": side.name,
        "batch_size": side.batch_size,
        "seconds": [seconds for seconds, _, _ in passes],
        "steps": passes[-1][2],
        "hook_calls": passes[-1][1].calls,
        "layer_s": [clock.layer for _, clock, _ in passes],
        "strategy_s": [clock.inside for _, clock, _ in passes],
        "layer_share": [clock.layer / seconds for seconds, clock, _ in passes],
        "strategy_share": [clock.inside / seconds for seconds, clock, _ in passes],
    }


def _cells(line: dict[str, Any]) -> list[Any]:
    per_step = 1e6 * spread(line["layer_s"]).median / max(line["steps"], 1)
    return [
        line["strategy"],
        line["batch_size"],
        f"{spread(line['seconds']):.3f}",
        f"{line['steps']:,}",
        f"{line['hook_calls']:,}",
        f"{per_step:.1f}",
        _shares(spread(line["layer_share"])),
        f"{spread(line['strategy_share']).median:.1%}",
    ]


def _shares(shares: Spread) -> str:
    return f"{shares:.2%}"
