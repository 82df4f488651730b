"""``hybridlm calibrate``: a threshold for a wanted share or accuracy, checked apart."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from ..experiment.calibration import Calibration, Target, missed, opened, text_of
from ..experiment.choice import only_choice
from ..experiment.command_line import add_pair, add_tasks, pair_of, task_settings
from ..experiment.experiment import DEMO_TASKS, Experiment
from ..experiment.running import session
from ..experiment.table import number, percent, signed
from ..whole_file import write_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add strategy, target and documents, and what all experiments have."""
    parser.add_argument(
        "--strategy", default="uncertainty", metavar="NAME:OPTION=VALUE,..."
    )
    parser.add_argument("--option", default="threshold", help="to choose [%(default)s]")
    parser.add_argument(
        "--target-llm-share", type=float, help="wanted share of the LLM's tokens"
    )
    parser.add_argument(
        "--target-accuracy",
        type=float,
        help="wanted share of the LLM's own accuracy, with as few of its tokens",
    )
    parser.add_argument(
        "--points", type=int, default=9, help="thresholds tried for an accuracy"
    )
    parser.add_argument(
        "--calibration-fraction",
        type=float,
        default=0.5,
        help="of the documents to choose on; the rest is held out [%(default)s]",
    )
    parser.add_argument("--output", type=Path, default=Path("calibration.json"))
    parser.add_argument("--resamples", type=int, default=Experiment.resamples)
    parser.add_argument("--confidence", type=float, default=Experiment.confidence)
    parser.add_argument("--json", action="store_true", help="for programs")
    add_pair(parser)
    add_tasks(parser)


def run(arguments: argparse.Namespace) -> int:
    """Calibrate, check on held-out documents, save and print."""
    target = Target(arguments.target_llm_share, arguments.target_accuracy).checked()
    if not arguments.output.parent.is_dir() or arguments.output.is_dir():
        raise ArgumentError(
            f"output={str(arguments.output)!r}: expected a file in a folder that is "
            "there"
        )
    experiment = _experiment(arguments)
    with session() as progress:
        fraction = arguments.calibration_fraction
        found = Calibration(experiment, fraction, progress)(target, arguments.points)
    write_whole(arguments.output, text_of(found))
    if line := missed(found):
        print(f"note: {line}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"file": str(arguments.output), **found}, indent=2))
    else:
        print(_said(found, arguments))
    return 0


def _experiment(arguments: argparse.Namespace) -> Experiment:
    arguments.tasks = arguments.tasks or DEMO_TASKS[0]
    choice = only_choice(arguments.strategy)
    return Experiment(
        kind="sweep",
        pair=pair_of(arguments),
        strategies=(opened(choice, arguments.option),),
        resamples=arguments.resamples,
        confidence=arguments.confidence,
        **task_settings(arguments),
    ).checked()


def _said(found: dict[str, Any], arguments: argparse.Namespace) -> str:
    chosen, checked = found["calibration"], found["held_out"]
    option = arguments.option
    level = f"{100 * arguments.confidence:g} %"
    value = [number(checked[name]) for name in ("value", "low", "high", "llm_value")]
    gap = [signed(checked[f"difference_{end}"]) for end in ("low", "high")]
    share = [percent(checked[n]) for n in ("llm_share", "share_low", "share_high")]
    return "\n".join(
        [
            f"{found['strategy']} {option}={found['options'][option]:g}, chosen on "
            f"{len(chosen['documents'])} documents of {found['task']}: "
            f"LLM share {percent(chosen['llm_share'])}, "
            f"{found['metric']} {number(chosen['value'])}",
            f"on {len(checked['documents'])} held-out documents ({level} intervals):",
            f"  LLM share {share[0]} [{share[1]}, {share[2]}]",
            f"  {found['metric']} {value[0]} [{value[1]}, {value[2]}], "
            f"LLM alone {value[3]}, difference [{gap[0]}, {gap[1]}]",
            f"saved; use it with --model_args ...,calibration={arguments.output}",
        ]
    )
