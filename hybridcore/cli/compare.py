"""``hybridlm compare``: strategies on the same documents, with intervals."""

from __future__ import annotations

import argparse

from ..experiment.choice import choices
from ..experiment.command_line import (
    add_pair,
    add_run,
    add_tasks,
    experiment_of,
)
from ..experiment.running import run_experiment
from .report import page_of

_DEFAULT = "uncertainty:threshold=0.1,entropy:threshold=0.5,speculative"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the strategies, and what all experiments have."""
    parser.add_argument(
        "--strategies",
        default=_DEFAULT,
        metavar="NAME:OPTION=VALUE,...",
        help="what is compared, beside slm-only, llm-only and random [%(default)s]",
    )
    add_pair(parser)
    add_tasks(parser)
    add_run(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare and print; the exit code is 1 where a cell failed."""
    experiment = experiment_of(
        arguments, "compare", lambda: choices(arguments.strategies)
    )
    return run_experiment(experiment, arguments, page_of)
