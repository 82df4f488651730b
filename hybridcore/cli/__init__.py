"""The command ``hybridlm``: one module for each subcommand.

A module has ``HELP``, ``add_arguments(parser)`` and ``run(arguments) -> exit code``;
it is imported only when its subcommand is used.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from ..errors import HybridLMError

COMMANDS = {
    "bench": "measure speed beside lm_eval's HFLM, transformers and vLLM",
    "calibrate": "choose a threshold for a wanted LLM share or accuracy",
    "certify": "compare a lossless strategy with the LLM alone, token by token",
    "compare": "run several strategies on the same documents, with intervals",
    "demo": "compare the strategies on the embedded pair, through lm_eval",
    "doctor": "look whether everything is installed, is found, and works",
    "eval": "lm_eval itself, for environments that read no .pth files",
    "generate": "answer a prompt, each token in the colour of its model",
    "new": "write a strategy of your own, ready to install",
    "report": "write one page on a run: accuracy against cost, samples by token",
    "strategies": "list the installed strategies",
    "sweep": "run a strategy over a grid of its options, with intervals",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; return the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="hybridlm", description=__doc__)
    parser.description = "A small and a large language model answer together."
    commands = parser.add_subparsers(dest="command", required=True)
    try:
        for name, text in COMMANDS.items():
            command = commands.add_parser(name, help=text, description=text)
            if argv[:1] == [name]:
                _module(name).add_arguments(command)
        arguments = parser.parse_args(argv)
        arguments.argv = argv
        code: int = _module(arguments.command).run(arguments)
    except HybridLMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return code


def _module(name: str) -> ModuleType:
    return importlib.import_module(f".{name}", __name__)
