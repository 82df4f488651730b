"""``hybridlm bench generate``: few-shot generation, ours beside HFLM and vLLM."""

from __future__ import annotations

import argparse

from . import command_line
from .comparison import Comparison, measured
from .decoding_limit import DecodingLimit
from .inspection import Inspection
from .llm_alone import compare_tasks
from .loaded import Loaded
from .machine import Machine
from .report import Report, report
from .side import Side
from .workload import GENERATION, Workload

HELP = "generation by the LLM alone beside transformers' generate and vLLM"
PEERS = ("hf", "generate", "vllm")
COLUMNS = (
    "side",
    "batch",
    "seconds (min..max)",
    "times ours (min..max)",
    "tokens/s",
    "LLM tokens",
    "LLM calls",
    "peak MiB",
    "of limit",
)
NOTES = (
    "HFLM is lm_eval's generate_until: transformers' generate on a padded batch.",
    "tokens/s: tokens of our answers, for every side. LLM tokens: positions computed,",
    "padding included. Peak: memory above what was in use before the pass. Limit: the",
    "distinct prompt prefixes at the rate of the product above, then as few steps as",
    "our batch size allows, each reading the weights once.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add models, tasks and peers."""
    command_line.add_models(parser, batch_size=8)
    command_line.add_tasks(parser, "hybrid_demo_generation")
    command_line.add_peers(parser, "hf (or generate, the same), vllm", sample=64)


def run(arguments: argparse.Namespace) -> Report:
    """Compare on every task."""
    command_line.check_peers(arguments.peer, PEERS)
    done, machine = compare_tasks(arguments, GENERATION, _compare)
    return report(done, machine, COLUMNS, NOTES)


def _compare(
    workload: Workload,
    loaded: Loaded,
    machine: Machine,
    sides: list[Side],
    arguments: argparse.Namespace,
) -> Comparison:
    fewest = DecodingLimit(loaded.hflm, workload, machine)
    emitted = 0

    def limit(side: Side, seen: Inspection) -> float:
        nonlocal emitted
        # what ours emitted, which comes first
        emitted = seen.counts.get("tokens_out", emitted)
        return fewest.seconds(emitted, arguments.batch_size)

    result = measured(
        sides,
        workload,
        lm=loaded.hflm,
        rounds=arguments.rounds,
        machine=machine,
        limit=limit,
    )
    counts = result.lines[0].inspection.counts
    result.facts = {
        "tokens of the answers": counts["tokens_out"],
        "fewest prompt tokens": fewest.prompts.tokens,
        "prompt tokens that ours read": counts["llm_prefill_tokens"],
    }
    return result
