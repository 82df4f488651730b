"""``hybridlm eval ...``: lm_eval with the model "hybrid", whatever the environment.

The same as ``lm_eval ...``; it serves where Python reads no .pth files (``pip
install --target``, HYBRIDLM_BRIDGE=0) and lm_eval finds no models by entry points.
"""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything behind ``eval`` is lm_eval's."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")
    parser.prefix_chars = "\0"
    parser.add_help = False


def run(arguments: argparse.Namespace) -> int:
    """Run lm_eval's own command line."""
    import lm_eval.models  # noqa: F401 - fills the registry
    from lm_eval.__main__ import cli_evaluate
    from lm_eval.api.registry import model_registry

    if "hybrid" not in model_registry:
        target = "hybridcore.harness.hybrid_lm:HybridLM"
        model_registry.register("hybrid", target=target)
    sys.argv = ["lm_eval", *arguments.arguments]
    cli_evaluate()
    return 0
