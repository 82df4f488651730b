"""Arguments that the benchmarks share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..errors import ArgumentError
from .batch_search import SIZES


def add_models(
    parser: argparse.ArgumentParser, batch_size: int, generates: bool = True
) -> None:
    """Add the pair, where it runs, and how often."""
    parser.add_argument("--slm", default="demo-slm", help="[demo-slm]")
    parser.add_argument("--llm", default="demo-llm", help="[demo-llm]")
    parser.add_argument("--device", default="cpu", help="[cpu]")
    parser.add_argument("--dtype", default="float32", help="[float32]")
    parser.add_argument(
        "--batch-size",
        type=positive,
        default=batch_size,
        help=f"rows that ours has in flight [{batch_size}]",
    )
    if generates:
        parser.add_argument(
            "--compile", action="store_true", help="ours with compile=true, warmed up"
        )
    else:
        parser.set_defaults(compile=False)
    parser.add_argument("--threads", type=positive, help="of torch [as it is]")
    parser.add_argument("--rounds", type=positive, default=5, help="timed [5]")
    parser.add_argument("--json", metavar="FILE", help="write everything measured")


def add_tasks(parser: argparse.ArgumentParser, tasks: str) -> None:
    """Add which documents are asked; ``tasks`` is the default."""
    parser.add_argument(
        "--tasks", type=names, default=names(tasks), help=f"comma-separated [{tasks}]"
    )
    parser.add_argument("--include-path", metavar="DIR", help="more tasks")
    parser.add_argument("--limit", type=positive, help="documents of each task [all]")
    parser.add_argument("--num-fewshot", type=int, help="[as the tasks say]")
    parser.add_argument(
        "--sampler", help="of few-shot examples: default, or first_n: the same for all"
    )
    parser.add_argument("--max-gen-toks", type=positive, help="[as the tasks say]")


def add_peers(parser: argparse.ArgumentParser, known: str, sample: int) -> None:
    """Add whom to compare with; ``sample`` requests find a peer's batch size."""
    parser.add_argument(
        "--peer",
        type=names,
        default=["hf"],
        help=f"comma-separated, of {known} [hf]",
    )
    parser.add_argument(
        "--peer-batch-sizes",
        type=sizes,
        default=list(SIZES),
        help="tried on a sample; the fastest is taken [1,2,4,8,16,32,64]",
    )
    parser.add_argument(
        "--sample",
        type=positive,
        default=sample,
        help=f"requests to try them on [{sample}]",
    )
    parser.add_argument(
        "--peer-python", metavar="PATH", help="interpreter that has vLLM and lm_eval"
    )


def check_peers(given: Sequence[str], known: Sequence[str]) -> None:
    """Refuse an unknown peer.

    :raises ArgumentError: its name is none of ``known``.
    """
    for name in given:
        if name not in known:
            raise ArgumentError(f"peer={name!r}: expected one of {', '.join(known)}")


def names(text: str) -> list[str]:
    """Read a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def sizes(text: str) -> list[int]:
    """Read a comma-separated list of whole numbers above zero."""
    return [positive(name) for name in names(text)] or [positive(text)]


def positive(text: str) -> int:
    """Read a whole number above zero."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return number
