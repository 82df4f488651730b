"""The whole way, on the embedded pair: lm_eval's own ``hf`` beside speculation.

Speculative decoding is lossless, so at temperature 0 both must say the same, word for
word; the one has no line of code in common with the other but lm_eval's.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM

from ..conformance.evaluation import TASK, run_on_lm_eval, texts_of
from ..demo import model_path
from ..exchange import Block, Route, Step, Verdict
from ..experiment.quiet import without_bars
from ..harness.hybrid_lm import HybridLM
from ..hookspecs import hookimpl
from ..laws import speculative_sample
from ..strategy import Strategy
from .finding import Finding

DOCUMENTS = 4
_REPORT = "please report it, with what hybridlm doctor --json says"


class Speculation(Strategy):
    """Draft four tokens, and let the LLM judge them; needs no plugin."""

    lossless = True

    @hookimpl
    def route_token(self, step: Step) -> Route:
        """CHECK at the fourth draft."""
        return Route.check_at(step, 4)

    @hookimpl
    def verify(self, block: Block) -> Verdict:
        """Accept by rejection sampling."""
        return speculative_sample(block)


def look() -> Finding:
    """Evaluate both; different texts, or models that run without a cache, are told."""
    began = time.perf_counter()
    with _quiet():
        expected, got, hybrid = compared()
    seconds = time.perf_counter() - began
    counts = hybrid["total"]
    facts = {
        "task": TASK,
        "documents": len(expected),
        "equal": expected == got,
        "seconds": round(seconds, 1),
        "tokens": counts["tokens_out"],
        "draft_acceptance_rate": counts["draft_acceptance_rate"],
        "llm_forwards": counts["llm_forwards"],
        "runners": {role: hybrid[role]["runner"] for role in ("slm", "llm")},
    }
    says = "says what hf says" if expected == got else "does not say what hf says"
    summary = (
        f"speculation {says}: {len(expected)} documents, {facts['tokens']} tokens, "
        f"{facts['llm_forwards']} LLM forwards, {seconds:.1f} s"
    )
    problems = [*_differences(expected, got), *_without_cache(hybrid)]
    return Finding(summary, facts, tuple(problems))


def compared() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return texts of the LLM by ``hf``, by speculation, and what the latter tells."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    common: dict[str, Any] = {"device": device, "dtype": "float32"}
    common |= {"batch_size": DOCUMENTS}
    alone = HFLM(pretrained=str(model_path("demo-llm")), **common)
    ours = HybridLM("demo-slm", "demo-llm", Speculation(), **common)
    expected, got = (run_on_lm_eval(lm, limit=DOCUMENTS) for lm in (alone, ours))
    return texts_of(expected), texts_of(got), got["config"]["hybrid"]


def _differences(expected: dict[str, Any], got: dict[str, Any]) -> list[str]:
    return [
        f"document {document}: hf says {text!r}, speculation {got.get(document)!r}\n"
        f"{_REPORT}"
        for document, text in expected.items()
        if got.get(document) != text
    ]


def _without_cache(hybrid: dict[str, Any]) -> list[str]:
    return [
        f"the {role.upper()} runs without a cache: {hybrid[role]['runner_reason']}\n"
        f"answers are right, but slow; {_REPORT}"
        for role in ("slm", "llm")
        if hybrid[role]["runner"] != "slots"
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    before, threads = logging.root.manager.disable, torch.get_num_threads()
    # two threads on models this small are slower than one
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    try:
        with ExitStack() as silent:
            silent.enter_context(without_bars())
            silent.enter_context(redirect_stdout(io.StringIO()))
            silent.enter_context(redirect_stderr(io.StringIO()))
            yield
    finally:
        logging.disable(before)
        torch.set_num_threads(threads)
