"""``hybridlm sweep``: one strategy over a grid of its options, with intervals."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..experiment.choice import Choice, choices, varied
from ..experiment.command_line import (
    add_pair,
    add_run,
    add_tasks,
    experiment_of,
)
from ..experiment.running import run_experiment
from .report import page_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the strategy and its grid, and what all experiments have."""
    parser.add_argument(
        "--strategy",
        default="uncertainty",
        metavar="NAME:OPTION=VALUE,...",
        help="one strategy, or several with the same grid [%(default)s]",
    )
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=FIRST:LAST:COUNT",
        help="values of an option, or NAME=VALUE,VALUE; may be repeated",
    )
    parser.add_argument(
        "--points",
        type=int,
        help="choose so many thresholds, at even shares of the LLM",
    )
    add_pair(parser)
    add_tasks(parser)
    add_run(parser)


def run(arguments: argparse.Namespace) -> int:
    """Sweep and print; the exit code is 1 where a cell failed."""

    def strategies() -> Iterator[Choice]:
        for choice in choices(arguments.strategy):
            yield varied(choice, arguments.param, arguments.points)

    return run_experiment(
        experiment_of(arguments, "sweep", strategies), arguments, page_of
    )
