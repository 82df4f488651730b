"""Runs the LLM alone on every task, beside HFLM at its best batch size and vLLM."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeAlias

from .batch_search import BatchSearch, best_batch
from .comparison import Comparison
from .loaded import Loaded, load, selection
from .machine import Machine
from .ours import Ours
from .side import Side
from .transformers_side import TransformersSide
from .vllm_side import VllmSide, start_vllm
from .workload import Workload, workloads

Compare: TypeAlias = Callable[
    [Workload, Loaded, Machine, list[Side], argparse.Namespace], Comparison
]


def compare_tasks(
    arguments: argparse.Namespace, kinds: Sequence[str], compare: Compare
) -> tuple[list[Comparison], Machine]:
    """Return what ``compare`` finds on every task, and the machine.

    :param kinds: the kinds of requests that the benchmark measures.
    """
    loads = workloads(selection(arguments), kinds)
    with ExitStack() as stack:
        loaded = load(arguments)
        machine = loaded.machine()
        vllm = start_vllm(arguments, stack, loaded.hflm.max_length)
        done = [_compared(w, loaded, machine, vllm, arguments, compare) for w in loads]
    return done, machine


def _compared(
    workload: Workload,
    loaded: Loaded,
    machine: Machine,
    vllm: VllmSide | None,
    arguments: argparse.Namespace,
    compare: Compare,
) -> Comparison:
    sides: list[Side] = [Ours(loaded.base, "llm-only", arguments.batch_size, "ours")]
    searches = {}
    if {"hf", "generate"} & set(arguments.peer):
        searches["HFLM"] = search = _search_hflm(workload, loaded, arguments)
        sides.append(TransformersSide(loaded.hflm, search.best))
    if vllm is not None:
        sides.append(vllm)
    result = compare(workload, loaded, machine, sides, arguments)
    result.searches = searches
    return result


def _search_hflm(
    workload: Workload, loaded: Loaded, arguments: argparse.Namespace
) -> BatchSearch:
    """Find HFLM's best batch size on a sample of ``workload``."""
    return best_batch(
        lambda size: TransformersSide(loaded.hflm, size),
        workload.sample(arguments.sample),
        arguments.peer_batch_sizes,
    )
