"""PERF and DOC: hooks are quick, nothing is kept, and users are told what it does."""

from __future__ import annotations

import functools
import gc
import itertools
import sys
from collections.abc import Callable

import torch

from ...decoding.step_law import WarpLaw
from ..check import Failure, Family
from ..hook_calls import hook_calls, synchronisations
from ..hook_time import quickest
from ..pair import TablePair
from ..subject import Subject

PERF = Family("PERF")
DOC = Family("DOC")
SIZE = 16_384  # tokens of the vocabulary that hooks are timed on
SLACK = 0.005  # seconds that a call may take on top
SOFTMAXES = 20  # softmaxes over all its laws that a call may cost
ROUNDS = 20  # of eight rows, 960 steps of a row
BLOCKS = 120  # that the interpreter's own caches come and go by


@PERF.check("a hook costs no more than twenty softmaxes over its laws")
def quick(subject: Subject) -> None:
    laws = torch.randn(40, SIZE, generator=torch.Generator().manual_seed(1))
    for hook, call in hook_calls(subject, SIZE).items():
        read = laws if hook in ("verify", "score") else laws[:4]
        allowed = SLACK + SOFTMAXES * quickest(functools.partial(read.softmax, -1))
        taken = quickest(call)
        if taken > allowed:
            raise Failure(
                f"{hook} takes at most {1e3 * allowed:.0f} ms",
                f"{1e3 * taken:.0f} ms, the quickest of five",
                f"4 rows, V = {SIZE}",
            )
    if torch.cuda.is_available() and "route_token" in subject.hooks:
        waits = synchronisations(subject, SIZE)
        if waits > 1:
            raise Failure(
                "route_token waits for the GPU at most once", f"{waits} times"
            )


@PERF.check("nothing is kept when rows have ended")
def no_growth(subject: Subject) -> None:
    run = _rounds(subject)
    run()
    # a hundred times quicker than looking at all modules' objects each time
    gc.freeze()
    try:
        held = _held_after(run, times=3)
    finally:
        gc.unfreeze()
    for what, limit in (("tensors", ROUNDS // 2), ("memory blocks", BLOCKS)):
        # a leak grows every time, a cache that fills only at first
        grown = min(b[what] - a[what] for a, b in itertools.pairwise(held))
        if grown > limit:
            raise Failure(f"no more {what} than before", f"{grown} more", _WORK)


@DOC.check(
    "users are told what it does, and the model arguments in its README are taken",
    job="evaluation",
)
def documented(subject: Subject) -> None:
    cls = subject.cls
    if not (cls.__dict__.get("__doc__") or "").strip() or _generated(cls):
        raise Failure(f"a docstring of {cls.__name__}", "none")
    for hook, call in hook_calls(subject, 16).items():
        text = getattr(cls, hook).__doc__ or ""
        if call() is None and "none" not in text.lower() and hook != "observe":
            raise Failure(
                f"the docstring of {hook} says what its None means", repr(text)
            )
    if subject.distribution is not None:
        _check_readme(subject)


_WORK = f"{ROUNDS} rounds of 8 answers of 6 tokens"


def _rounds(subject: Subject) -> Callable[[], None]:
    pair = TablePair.random(8, seed=14)
    prompts = [[i] for i in range(8)]
    dispatcher = subject.dispatcher()

    def run() -> None:
        for _ in range(ROUNDS):
            pair.run(dispatcher, prompts, 6, law=WarpLaw(1.0))

    return run


def _held_after(run: Callable[[], None], times: int) -> list[dict[str, int]]:
    found = []
    for _ in range(times):
        run()
        found.append(_held())
    return found


def _held() -> dict[str, int]:
    gc.collect()
    tensors = sum(type(thing) is torch.Tensor for thing in gc.get_objects())
    return {"tensors": tensors, "memory blocks": sys.getallocatedblocks()}


def _generated(cls: type) -> bool:
    """Tell whether a docstring is the one that dataclasses make up."""
    return (cls.__doc__ or "").startswith(f"{cls.__name__}(")


def _check_readme(subject: Subject) -> None:
    assert subject.point is not None
    found = subject.evaluation
    if "error" in found:
        return  # EVAL-1 says so
    lines = found["readme"]
    if not lines:
        wanted = f"--model_args ...,strategy={subject.point.name} in the README"
        raise Failure(wanted, "none")
    for line, error in lines.items():
        if error:
            raise Failure("a README whose model arguments are taken", error, line)
