"""``hybridlm bench score``: log-likelihoods, ours beside HFLM and vLLM."""

from __future__ import annotations

import argparse

from . import command_line
from .comparison import Comparison, measured
from .inspection import Inspection
from .llm_alone import compare_tasks
from .loaded import Loaded
from .machine import Machine
from .needed import cost_of, scoring_trie
from .report import Report, report
from .side import Side
from .workload import SCORING, Workload

HELP = "log-likelihoods and perplexity beside lm_eval's HFLM and vLLM"
PEERS = ("hf", "vllm")
COLUMNS = (
    "side",
    "batch",
    "seconds (min..max)",
    "times ours (min..max)",
    "requests/s",
    "LLM tokens",
    "peak MiB",
    "logits MiB",
    "of limit",
)
NOTES = (
    "LLM tokens: positions computed, padding included. Peak: memory above what was in",
    "use before the pass. Logits: alive at once, log-softmax included. Limit: the",
    "operations of the fewest tokens that answer all requests, at the rate of the",
    "product above.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add models, tasks and peers."""
    command_line.add_models(parser, batch_size=8, generates=False)
    command_line.add_tasks(parser, "hybrid_demo_choice,hybrid_demo_perplexity")
    command_line.add_peers(parser, ", ".join(PEERS), sample=128)


def run(arguments: argparse.Namespace) -> Report:
    """Compare on every task."""
    command_line.check_peers(arguments.peer, PEERS)
    done, machine = compare_tasks(arguments, SCORING, _compare)
    return report(done, machine, COLUMNS, NOTES)


def _compare(
    workload: Workload,
    loaded: Loaded,
    machine: Machine,
    sides: list[Side],
    arguments: argparse.Namespace,
) -> Comparison:
    trie = scoring_trie(loaded.hflm, workload)
    operations = cost_of(loaded.hflm.model).operations(trie)

    def limit(side: Side, seen: Inspection) -> float:
        return operations / machine.operations

    result = measured(
        sides,
        workload,
        lm=loaded.hflm,
        rounds=arguments.rounds,
        machine=machine,
        limit=limit,
    )
    read = result.lines[0].inspection.counts["llm_tokens_processed"]
    result.facts = {
        "fewest tokens": trie.tokens,
        "tokens that ours read, padding left out": read,
        "operations of the fewest tokens": operations,
    }
    return result
