"""Steps compiled as a whole, for a CPU: what a recording is where nothing is launched.

What a step does is traced to one list of operators, in shapes that stay, and compiled
by torch's inductor: norms, rotations and activations become loops of their own, and
Python is left with one call. Tracing computes nothing, and breaks off where a step
decides by numbers (experts chosen one by one): such a step goes on being called.

Compiling takes seconds for a small model and half a minute for one of thirty layers, so
what was compiled serves every step of its size, whatever cache it reads.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from .recorder import Recordable, Recorder, StepSize


class CompiledSteps(Recorder):
    """The compiled steps of one model."""

    kind = "compiled code"
    worth = 10  # far less than it takes; but what comes so often comes again
    # what is read in vain costs as much as the rest
    share = 0.5
    spare = reach = 0

    def __init__(self) -> None:
        self._codes: dict[StepSize, Callable[..., Tensor]] = {}

    def knows(self, size: StepSize) -> bool:
        """Tell whether a step of that size was compiled."""
        return size in self._codes

    def record(self, step: Recordable) -> Callable[[], Tensor]:
        """Return the compiled step.

        :raises Exception: there is no compiler, or what torch says of a step that it
            cannot trace.
        """
        tensors = step.tensors()
        if step.size not in self._codes:
            traced = _traced(step.run, tensors)
            code = torch.compile(traced, dynamic=False)
            code(*tensors)  # compiles; the step can be run twice
            self._codes[step.size] = code
        code = self._codes[step.size]
        return lambda: code(*tensors)


def _traced(run: Callable[[], Tensor], tensors: Sequence[Tensor]) -> fx.GraphModule:
    """Return the operators of a run, a function of the tensors it reads and writes."""
    # a lambda, since arguments are counted, of methods too
    trace: Any = make_fx(
        lambda: run(), tracing_mode="fake", _allow_non_fake_inputs=True
    )
    with _quiet():
        traced: fx.GraphModule = trace()
    _turn_into_arguments(traced, tensors)
    return traced


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave what cannot be traced to its exception; torch logs all of its stack."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _turn_into_arguments(traced: fx.GraphModule, tensors: Sequence[Tensor]) -> None:
    """Make arguments of tensors that were traced as constants.

    :raises RuntimeError: some were traced under another guise, and would stay.
    """
    storages = {tensor.untyped_storage().data_ptr() for tensor in tensors}
    graph = traced.graph
    first = next(iter(graph.nodes))
    with graph.inserting_before(first):
        arguments = [graph.placeholder(f"tensor_{i}") for i in range(len(tensors))]
    of = {id(tensor): node for tensor, node in zip(tensors, arguments, strict=True)}
    replaced = set()
    for node in list(graph.nodes):
        if node.op == "get_attr":
            constant = getattr(traced, node.target)
            if id(constant) in of:
                node.replace_all_uses_with(of[id(constant)])
                graph.erase_node(node)
                replaced.add(node.target)
            elif constant.untyped_storage().data_ptr() in storages:
                raise RuntimeError(f"{node.target} is a view of what changes")
    for name in replaced:
        delattr(traced, name)  # or the keys were held as long as the code
    graph.eliminate_dead_code()
    traced.recompile()
