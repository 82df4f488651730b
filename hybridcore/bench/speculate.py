"""``hybridlm bench speculate``: drafting and verifying beside transformers."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import ArgumentError
from . import command_line
from .comparison import Comparison, measured
from .decoding_limit import DecodingLimit
from .drafts import Drafting, drafting, first_layers
from .inspection import Inspection
from .loaded import Loaded, load, selection
from .machine import Machine
from .ours import Ours
from .replay import Recorded, Replay
from .report import Report, report
from .side import Side
from .spread import ratios
from .transformers_side import TransformersSide
from .workload import GENERATION, Workload, workloads

HELP = "speculative decoding beside transformers' assisted and plain generation"
PEERS = ("assisted", "generate")
COLUMNS = (
    "side",
    "batch",
    "seconds (min..max)",
    "times ours (min..max)",
    "tokens/s",
    "accepted",
    "LLM calls",
    "SLM calls",
    "peak MiB",
    "of limit",
)
PLAIN, ADAPTIVE = "ours, plain", "ours, adaptive"
NOTES = (
    "Plain: the LLM alone. Adaptive: with adaptive=true, as many drafts as pay.",
    "Assisted: transformers' generate with assistant_model, which takes one row at a",
    "time; by its own defaults, and drafting as many tokens as ours. Accepted: drafted",
    "tokens that the LLM kept, as ours counted. tokens/s: tokens of our answers, for",
    "every side. Limit, about: the prompts at the rate of the product above, then",
    "the side's other calls (a batch of prompts is one), each reading all weights.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add models, tasks, peers, and who drafts."""
    command_line.add_models(parser, batch_size=8)
    command_line.add_tasks(parser, "hybrid_demo_generation")
    parser.add_argument(
        "--peer",
        type=command_line.names,
        default=list(PEERS),
        help=f"comma-separated, of {', '.join(PEERS)} [both]",
    )
    parser.add_argument(
        "--draft", default="slm", help="slm, first-layers:N or replay:RATE [slm]"
    )
    parser.add_argument("--num-drafts", type=command_line.positive, default=4)
    parser.add_argument("--strategy", default="speculative", help="[speculative]")


def run(arguments: argparse.Namespace) -> Report:
    """Compare at batch 1 and at the batch size given."""
    command_line.check_peers(arguments.peer, PEERS)
    drafts = drafting(arguments.draft)
    loads = workloads(selection(arguments), GENERATION)
    for workload in loads:
        refuse_sampling(workload)
    slm = None
    if drafts.layers is not None:
        placed = (arguments.device, arguments.dtype)
        slm = first_layers(arguments.llm, drafts.layers, *placed)
    loaded = load(arguments, slm)
    machine = loaded.machine()
    done = [
        _compare(workload, rows, loaded, machine, drafts, arguments)
        for workload in loads
        for rows in sorted({1, arguments.batch_size})
    ]
    return report(done, machine, COLUMNS, (f"Drafts come from {drafts}.", *NOTES))


def refuse_sampling(workload: Workload) -> None:
    """Refuse requests whose texts are not the same in every pass.

    :raises ArgumentError: one of them samples.
    """
    for request in workload.requests:
        settings: Any = request.args[1]
        if settings.get("do_sample") or settings.get("temperature"):
            raise ArgumentError(
                f"task {workload.name!r} samples: expected do_sample=false and "
                "temperature 0\ntexts can be compared only where they are greedy"
            )


def _compare(
    workload: Workload,
    rows: int,
    loaded: Loaded,
    machine: Machine,
    drafts: Drafting,
    arguments: argparse.Namespace,
) -> Comparison:
    sides = _sides(workload, rows, loaded, drafts, arguments)
    fewest = DecodingLimit(loaded.hflm, workload, machine)
    emitted = 0

    def limit(side: Side, seen: Inspection) -> float:
        nonlocal emitted
        emitted = emitted or seen.counts["tokens_out"]
        spent = 0.0
        if "slm" in side.models():
            slm = loaded.base.pair.slm
            assert slm is not None
            spent = fewest.drafting(slm.model, seen.calls_of("slm") or 0, rows)
        return fewest.seconds_of_calls(seen.calls_of("llm") or 0, emitted, rows, spent)

    result = measured(
        sides,
        workload,
        lm=loaded.hflm,
        rounds=arguments.rounds,
        machine=machine,
        limit=limit,
    )
    counts = result.lines[0].inspection.counts
    seconds = {line.side: line.seconds for line in result.lines}
    adaptive = seconds.get(ADAPTIVE, [])
    result.facts = {
        "drafts from": str(drafts),
        "tokens of the answers": counts["tokens_out"],
        "draft acceptance rate": counts["draft_acceptance_rate"],
        "mean acceptance length": counts["mean_acceptance_length"],
    }
    if adaptive:
        speed = ratios(seconds[PLAIN], adaptive)
        result.facts["speed of adaptive in that of plain"] = f"{speed:.3f}"
    return result


def _sides(
    workload: Workload,
    rows: int,
    loaded: Loaded,
    drafts: Drafting,
    arguments: argparse.Namespace,
) -> list[Side]:
    base, k = loaded.base, arguments.num_drafts
    strategy, options = arguments.strategy, {"num_drafts": k}
    name = f"ours, {strategy}"
    if drafts.rate is not None:
        recorded = Recorded()
        Ours(base, recorded, rows).run(workload)
        drawn: dict[str, Any] = {"rate": drafts.rate, "num_drafts": k}
        strategy, options = Replay(**drawn, **{"book": recorded.book}), {}
        name = "ours, replay"
    ours = Ours(base, strategy, rows, name, **options)
    sides: list[Side] = [ours, Ours(base, "llm-only", rows, PLAIN)]
    if ours.lm.strategy.adaptable():
        sides.append(Ours(base, strategy, rows, ADAPTIVE, adaptive=True, **options))
    if "generate" in arguments.peer:
        sides.append(TransformersSide(loaded.hflm, rows, "generate"))
    if "assisted" in arguments.peer and rows == 1 and drafts.rate is None:
        slm = loaded.base.pair.slm
        assert slm is not None
        for name, count in ((f"assisted, {k} drafts", k), ("assisted, defaults", None)):
            sides.append(TransformersSide(loaded.hflm, 1, name, slm.model, count))
    return sides
