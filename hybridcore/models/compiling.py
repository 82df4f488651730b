"""Has a runner run compiled code, if that changes nothing."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor

from .attention import SHORT
from .compiled_layers import CompiledLayers
from .runner import CausalRunner, Feed
from .slots import SlotRunner
from .trial import errors

_LOG = logging.getLogger(__name__)
_ALLOWED = {torch.float32: 1e-3}
_ALLOWED_ELSE = 5e-2  # in spreads of the logits
# tokens of a row, all compiled before anything is timed: of a step, of a block, and of
# a prompt, whose attention is laid out otherwise
_WIDTHS = (1, 5, 2 * SHORT)


def compile_runner(runner: CausalRunner, model: Any) -> int:
    """Have a runner run compiled code; return how many layers are compiled apart.

    On a CPU none are: whole steps are compiled when they come again
    (``compiled_steps.py``), where the runner records; where it does not, one warning
    says so.
    """
    if runner.device.type != "cpu":
        return compile_layers(runner, model)
    if not isinstance(runner, SlotRunner):
        _ignored(model, "it runs without a cache")
    elif not runner.records:
        _ignored(
            model, "its attention is its own, its precision mixed, or it has hooks"
        )
    return 0


def compile_layers(runner: CausalRunner, model: Any) -> int:
    """Have a runner run a model's layers compiled; return how many.

    All its slots must be free. What the compiled layers compute is compared with what
    was computed before; where it differs, or nothing can be compiled, one warning says
    so and the runner stays as it was.
    """
    layers = CompiledLayers(model)
    why = _unfit(runner, layers, model.dtype)
    if why:
        _ignored(model, why)
        return 0
    return layers.count


def _ignored(model: Any, why: str) -> None:
    name = type(model).__name__
    _LOG.warning("compile=true ignored for model %s: %s", name, why)


def _unfit(runner: CausalRunner, layers: CompiledLayers, dtype: torch.dtype) -> str:
    """Compile; return why the runner was left as it was, "" where it was not."""
    if not isinstance(runner, SlotRunner):
        return "it runs without a cache"
    if not layers.count:
        return "it has no decoder layers that can be compiled"
    with runner.unrecorded():
        return _compiled(runner, layers, dtype)


def _compiled(runner: SlotRunner, layers: CompiledLayers, dtype: torch.dtype) -> str:
    before = _tried(runner)
    runner.compiled = layers
    try:
        found = errors(_tried(runner), before).max().item()
    # whatever a compiler, or the lack of one, may raise
    except Exception as error:
        runner.compiled = None
        lines = str(error).strip().splitlines()
        return f"{type(error).__name__}: {lines[0] if lines else ''}"
    if found <= _ALLOWED.get(dtype, _ALLOWED_ELSE):
        return ""
    runner.compiled = None
    return f"its logits are off by {found:.2g} of their spread"


def _tried(runner: SlotRunner) -> Tensor:
    """Read a few tokens in one row and in two; return the logits of all of them."""
    found = []
    slots = [runner.acquire([1])[0] for _ in range(min(2, runner.slots))]
    try:
        for rows in {1, len(slots)}:
            for width in _WIDTHS:
                tokens = [1 + i % (runner.vocab_size - 1) for i in range(width)]
                feeds = [Feed(slot, tokens, width) for slot in slots[:rows]]
                found.append(runner.forward(feeds))
    finally:
        for slot in slots:
            runner.rollback(slot, 0)
            runner.release(slot)
    return torch.cat(found)
