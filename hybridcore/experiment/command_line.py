"""The arguments that the commands on experiments share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lm_eval.utils import simple_parse_args_string

from ..errors import ArgumentError
from .choice import Choice
from .experiment import DEMO, DEMO_TASKS, Experiment, Kind
from .experiment_file import read_experiment

_PAIR = ("slm", "llm", "device", "dtype", "batch_size", "scoring")
# how an experiment is run, not what it is: may stand beside its file
_OF_THE_RUN = {"config", "output", "json", "report"}
_OF_THE_RUN |= {"backend", "workers", "gpus_per_worker", "ray_address"}


def add_pair(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which models run, and how."""
    group = parser.add_argument_group("the pair")
    group.add_argument("--slm", help="small model: hub id or folder [demo-slm]")
    group.add_argument("--llm", help="large model: hub id or folder [demo-llm]")
    group.add_argument("--device", help="[cuda, where there is none cpu]")
    group.add_argument("--dtype", help="[float16, on a CPU float32]")
    group.add_argument("--batch-size", "--batch_size", help="rows in flight [8]")
    group.add_argument(
        "--model-args",
        "--model_args",
        default="",
        metavar="NAME=VALUE,...",
        help="more model arguments, as lm_eval's --model_args",
    )


def pair_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the model arguments that a command line names."""
    given = {name: getattr(arguments, name, None) for name in _PAIR}
    said = {name: value for name, value in given.items() if value is not None}
    more = simple_parse_args_string(arguments.model_args)
    return {**DEMO, "batch_size": 8, **more, **said}


def add_tasks(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is asked."""
    group = parser.add_argument_group("the tasks")
    tasks = ",".join(DEMO_TASKS)
    group.add_argument("--tasks", help=f"tasks of lm_eval, comma-separated [{tasks}]")
    group.add_argument("--limit", type=_limit, help="documents of each task, or share")
    group.add_argument("--num-fewshot", "--num_fewshot", type=int)
    group.add_argument(
        "--include-path", "--include_path", help="folder with more tasks"
    )
    group.add_argument("--gen-kwargs", "--gen_kwargs", default="", help="as lm_eval's")
    group.add_argument(
        "--apply-chat-template", "--apply_chat_template", action="store_true"
    )
    group.add_argument(
        "--metric",
        default="",
        metavar="METRIC",
        help="NAME or NAME,FILTER to judge by, or TASK=METRIC,... [first]",
    )
    group.add_argument(
        "--scoring",
        choices=("llm", "strategy"),
        help="whose law scores multiple choice and perplexity [strategy]",
    )
    group.add_argument("--seed", type=int, default=Experiment.seed)


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how an experiment is run and reported."""
    parser.set_defaults(parser=parser)
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--config", help="an experiment.toml, in place of all that says what is run"
    )
    group.add_argument(
        "--output", type=Path, help="run directory; one that is there is taken up again"
    )
    group.add_argument(
        "--random-points",
        type=int,
        default=Experiment.random_points,
        help="random baselines for each task, at most [%(default)s]",
    )
    group.add_argument("--resamples", type=int, default=Experiment.resamples)
    group.add_argument("--confidence", type=float, default=Experiment.confidence)
    group.add_argument("--json", action="store_true", help="for programs")
    group.add_argument(
        "--report",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write the page of hybridlm report beside it",
    )
    group.add_argument(
        "--backend",
        choices=("local", "ray"),
        default="local",
        help="one process, or a Ray cluster [%(default)s]",
    )
    group.add_argument("--workers", type=int, default=2, help="of Ray [%(default)s]")
    group.add_argument(
        "--gpus-per-worker", type=float, help="of Ray [1, where there is one]"
    )
    group.add_argument("--ray-address", help="of a cluster [this machine]")


def task_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of an :class:`Experiment` that say what is asked."""
    tasks = arguments.tasks.split(",") if arguments.tasks else DEMO_TASKS
    return {
        "tasks": tuple(name.strip() for name in tasks if name.strip()),
        "limit": arguments.limit,
        "num_fewshot": arguments.num_fewshot,
        "include_path": arguments.include_path,
        "gen_kwargs": simple_parse_args_string(arguments.gen_kwargs),
        "apply_chat_template": arguments.apply_chat_template,
        "metric": metrics_of(arguments.metric),
        "seed": arguments.seed,
    }


def metrics_of(text: str) -> dict[str, str]:
    """Read ``METRIC`` or ``TASK=METRIC,...``; a metric is ``name`` or ``name,filter``.

    :return: metrics by task; one without a task, under ``""``, is that of all others.
    """
    found: dict[str, str] = {}
    task = ""
    for part in filter(None, map(str.strip, text.split(","))):
        name, given, metric = part.partition("=")
        if given:
            task = name.strip()
            found[task] = metric.strip()
        else:
            found[task] = f"{found[task]},{part}" if task in found else part
    return found


def experiment_of(
    arguments: argparse.Namespace, kind: Kind, choices: Callable[[], Iterable[Choice]]
) -> Experiment:
    """Return the experiment of a file or of a command line, checked.

    :param choices: makes the strategies; not called where a file says them.
    """
    if arguments.config is not None:
        found = read_experiment(arguments.config)
        if found.kind != kind:
            raise ArgumentError(
                f"config={arguments.config!r} is of kind {found.kind!r}: expected "
                f"{kind!r}\nrun hybridlm {found.kind}"
            )
        _refuse_said_twice(arguments)
        return found
    return Experiment(
        kind=kind,
        pair=pair_of(arguments),
        strategies=tuple(choices()),
        random_points=arguments.random_points,
        resamples=arguments.resamples,
        confidence=arguments.confidence,
        **task_settings(arguments),
    ).checked()


def _refuse_said_twice(arguments: argparse.Namespace) -> None:
    """Raise :class:`ArgumentError` for what is given beside a file that says it."""
    # a second reading without defaults: one that was typed counts as given
    blank = argparse.Namespace(**dict.fromkeys(vars(arguments)))
    given = vars(arguments.parser.parse_args(arguments.argv[1:], blank))
    for name, value in given.items():
        if value is not None and name not in _OF_THE_RUN:
            raise ArgumentError(
                f"{name}={value!r} beside config={arguments.config!r}: expected it in "
                "the file alone\nwrite it there, or leave out --config"
            )


def _limit(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number
