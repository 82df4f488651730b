"""``hybridlm certify``: a lossless strategy beside the LLM alone, token by token."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from lm_eval.api.instance import Instance

from ..discovery import load_class
from ..errors import ArgumentError
from ..experiment.certificate import (
    Certificate,
    Divergence,
    certify,
    require_lossless,
    require_tolerance,
)
from ..experiment.choice import only_choice
from ..experiment.command_line import add_pair, add_tasks, pair_of, task_settings
from ..experiment.evaluation import Evaluator
from ..experiment.experiment import DEMO_TASKS, Experiment
from ..experiment.running import session
from ..harness.hybrid_lm import HybridLM

_GREEDY = {"do_sample": False, "temperature": 0.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add strategy, prompts and tolerance, and what all experiments have."""
    parser.add_argument(
        "--strategy", default="speculative", metavar="NAME:OPTION=VALUE,..."
    )
    parser.add_argument(
        "--prompt", action="append", default=[], help="in place of tasks; repeatable"
    )
    parser.add_argument(
        "--max-new-tokens", type=int, default=128, help="of --prompt [%(default)s]"
    )
    parser.add_argument(
        "--tolerance", type=float, help="largest margin of a tie, in nats [measured]"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    add_pair(parser)
    add_tasks(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare and print; the exit code is 1 where the texts part at more than ties."""
    choice = only_choice(arguments.strategy).checked()
    require_lossless(choice.name, load_class(choice.name))
    require_tolerance(arguments.tolerance)
    with session() as progress:
        tasks = None if arguments.prompt else _tasks(arguments)
        pair = {"seed": arguments.seed, **pair_of(arguments), "scoring": "llm"}
        lm = HybridLM(**pair, strategy=choice.name, **choice.options)
        requests = _prompts(arguments) if tasks is None else _asked(tasks, lm)

        def told(model: HybridLM, label: str) -> None:
            progress.watch(model, label)
            progress.begin(label, len(requests))

        found = certify(lm, requests, arguments.tolerance, told)
    if arguments.json:
        print(json.dumps(_as_dict(found, lm), indent=2))
    else:
        print("\n".join([*_lines(found, lm), _verdict(found, lm)]))
    return int(not found.holds)


def _prompts(arguments: argparse.Namespace) -> list[Any]:
    asked = {"max_gen_toks": arguments.max_new_tokens, "until": [], **_GREEDY}
    return [
        Instance("generate_until", {}, (text, dict(asked)), i)
        for i, text in enumerate(arguments.prompt)
    ]


def _tasks(arguments: argparse.Namespace) -> Evaluator:
    arguments.tasks = arguments.tasks or DEMO_TASKS[0]
    evaluator = Evaluator(Experiment("compare", {}, (), **task_settings(arguments)))
    for name, facts in evaluator.tasks.items():
        if facts.scores:
            raise ArgumentError(
                f"task {name!r} asks for no text: expected tasks that generate"
            )
    return evaluator


def _asked(tasks: Evaluator, lm: HybridLM) -> list[Any]:
    """Return lm_eval's requests of all tasks, made greedy."""
    found = [request for name in tasks.tasks for request in tasks.asked(name, lm)]
    for request in found:
        context, kwargs = request.args
        request.arguments = (context, {**kwargs, **_GREEDY})
    return found


def _lines(found: Certificate, lm: HybridLM) -> Sequence[str]:
    return [_line(divergence, lm) for divergence in found.divergences]


def _line(found: Divergence, lm: HybridLM) -> str:
    said = [_text(lm, token) for token in (found.expected, found.got)]
    margin = "unknown" if found.margin is None else f"{found.margin:.3g} nats"
    kind = "a tie" if found.tie else "no tie"
    if not found.sound:
        kind += (
            f": reads of one prefix differ by {found.spread:.3g}, more than rounding"
        )
    return (
        f"prompt {found.prompt}, token {found.position}: the LLM says {said[0]}, "
        f"{lm.strategy_name} {said[1]}; margin {margin}, {kind} "
        f"(tolerance {found.tolerance:.3g})"
    )


def _verdict(found: Certificate, lm: HybridLM) -> str:
    head = f"{lm.strategy_name}, {found.prompts} prompts, {found.tokens} tokens: "
    if not found.divergences:
        return f"{head}the LLM's texts, token for token"
    ties = sum(divergence.tie for divergence in found.divergences)
    count = f"{len(found.divergences)} texts part, {ties} of them at a tie"
    return f"{head}{count}{'' if found.holds else ': not lossless'}"


def _text(lm: HybridLM, token: int | None) -> str:
    return "nothing" if token is None else repr(lm.tokenizer.decode([token]))


def _as_dict(found: Certificate, lm: HybridLM) -> dict[str, Any]:
    return {
        "strategy": lm.strategy_name,
        "options": lm.strategy.options(),
        "prompts": found.prompts,
        "tokens": found.tokens,
        "holds": found.holds,
        "divergences": [
            {**dataclasses.asdict(one), "tie": one.tie} for one in found.divergences
        ],
    }
