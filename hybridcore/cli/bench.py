"""``hybridlm bench ...``: how fast, beside the peers, on the same requests."""

from __future__ import annotations

import argparse
import importlib
import logging
from types import ModuleType

import torch

from ..bench.report import Report

BENCHMARKS = ("score", "generate", "speculate", "routing", "overhead")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand for each benchmark."""
    commands = parser.add_subparsers(dest="benchmark", required=True)
    for name in BENCHMARKS:
        module = _module(name)
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; the exit code is 1 where outputs differ."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    before = torch.get_num_threads()
    torch.set_num_threads(arguments.threads or before)
    try:
        report: Report = _module(arguments.benchmark).run(arguments)
    finally:
        torch.set_num_threads(before)
    print(report.text)
    if arguments.compile:
        print("Ours has compile=true: what it compiles, it compiled before the rounds.")
    if arguments.json is not None:
        given = {k: v for k, v in vars(arguments).items() if k != "command"}
        report.data = {"arguments": given, "agreed": report.agreed, **report.data}
        report.write(arguments.json)
    return int(not report.agreed)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"hybridcore.bench.{name}")
