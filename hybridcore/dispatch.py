"""Calls the hooks of one strategy and checks what they return.

A wrong shape, type, range or a NaN is an error that names the strategy, the hook,
the field, what was expected and what came: it never becomes a silent route.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .discovery import plugin_manager
from .errors import HookError
from .exchange import (
    Block,
    Draft,
    Outcome,
    Positions,
    Request,
    Route,
    Step,
    Verdict,
)
from .strategy import Strategy


class Dispatcher:
    """The hooks of one strategy, called with checks.

    :raises StrategyBroken: at construction, where a hook is misspelt or unmarked.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.hooks = strategy.hooks()
        self._call = plugin_manager(strategy).hook

    def start(self, request: Request) -> Any:
        """Return the strategy's state for a new row, or None."""
        return self._call.start(request=request) if "start" in self.hooks else None

    def route_token(self, step: Step) -> Route | None:
        """Return B checked verdicts, or None where the default KEEP applies."""
        if "route_token" not in self.hooks:
            return None
        route = self._call.route_token(step=step)
        if route is None:
            return None
        self._type("route_token", "", route, Route)
        self._vector("route_token", "verdict", route.verdict, len(step))
        outside = (route.verdict < Route.KEEP) | (route.verdict > Route.ASK)
        if outside.any():
            bad = route.verdict[outside][0].item()
            self._fail("route_token", "verdict", "KEEP, CHECK or ASK (0, 1, 2)", bad)
        if route.signal is not None:
            self._shape("route_token", "signal", route.signal, (len(step),))
            if route.signal.isnan().any():
                self._fail("route_token", "signal", "numbers", "NaN")
        return route

    def draft(self, step: Step) -> Draft | None:
        """Return checked drafts, or None where one token is to be drawn from q."""
        if "draft" not in self.hooks:
            return None
        draft = self._call.draft(step=step)
        if draft is None:
            return None
        self._type("draft", "", draft, Draft)
        self._vector("draft", "length", draft.length, len(step))
        if draft.tokens.ndim != 2 or draft.tokens.shape[0] != len(step):
            self._fail(
                "draft", "tokens", f"shape [{len(step)}, K]", list(draft.tokens.shape)
            )
        width = draft.tokens.shape[1]
        over = draft.length > step.budget.clamp_max(width)
        if (draft.length < 0).any() or over.any():
            self._fail(
                "draft",
                "length",
                f"0 to min(budget, K) = {step.budget.clamp_max(width).tolist()}",
                draft.length.tolist(),
            )
        return draft

    def check_drafted(self, tokens: list[int], size: int) -> None:
        """Raise :class:`HookError` where a drafted id is outside the vocabulary."""
        for token in tokens:
            if not 0 <= token < size:
                self._fail("draft", "tokens", f"ids below {size}", token)

    def verify(self, block: Block) -> Verdict | None:
        """Return a checked verdict, or None where every draft is accepted."""
        verdict = self._call.verify(block=block)
        if verdict is None:
            return None
        self._type("verify", "", verdict, Verdict)
        self._vector("verify", "accepted", verdict.accepted, len(block.length))
        if ((verdict.accepted < 0) | (verdict.accepted > block.length)).any():
            self._fail(
                "verify",
                "accepted",
                f"0 to length {block.length.tolist()}",
                verdict.accepted.tolist(),
            )
        if verdict.next_law is None:
            if (verdict.accepted == 0).any():
                self._fail("verify", "next_law", "a law where nothing was kept", None)
        else:
            shape = (len(block.length), block.p.shape[-1])
            self._law("verify", "next_law", verdict.next_law, shape)
        return verdict

    def score(self, positions: Positions) -> Tensor | None:
        """Return checked log laws ``[N, V]``, or None to let the core derive them."""
        if "score" not in self.hooks:
            return None
        law = self._call.score(positions=positions)
        if law is None:
            return None
        self._type("score", "", law, Tensor)
        self._shape("score", "", law, tuple(positions.p_logits.shape))
        mass = law.logsumexp(-1)
        if not torch.isfinite(mass).all() or mass.abs().max() > 1e-3:
            worst = mass[mass.abs().nan_to_num(torch.inf).argmax()].item()
            self._fail("score", "", "log laws that sum to one", f"log sum {worst}")
        return law

    def observe(self, outcome: Outcome) -> None:
        """Tell the strategy what a step committed."""
        if "observe" in self.hooks:
            self._call.observe(outcome=outcome)

    def _law(self, hook: str, field: str, law: Tensor, shape: tuple[int, ...]) -> None:
        self._shape(hook, field, law, shape)
        mass = law.sum(-1)
        if not torch.isfinite(mass).all() or (law < 0).any() or (mass <= 0).any():
            self._fail(hook, field, "non-negative numbers with mass", "another value")
        if (mass - 1.0).abs().max() > 1e-3:
            self._fail(hook, field, "laws that sum to one", f"sums {mass.tolist()}")

    def _vector(self, hook: str, field: str, value: Any, rows: int) -> None:
        self._type(hook, field, value, Tensor)
        self._shape(hook, field, value, (rows,))
        if value.dtype.is_floating_point or value.dtype == torch.bool:
            self._fail(hook, field, "an integer type", value.dtype)

    def _shape(self, hook: str, field: str, value: Any, shape: tuple[int, ...]) -> None:
        self._type(hook, field, value, Tensor)
        if tuple(value.shape) != shape:
            self._fail(hook, field, f"shape {list(shape)}", list(value.shape))

    def _type(self, hook: str, field: str, value: Any, kind: type) -> None:
        if not isinstance(value, kind):
            self._fail(hook, field, kind.__name__, f"{type(value).__name__} {value!r}")

    def _fail(self, hook: str, field: str, expected: str, got: Any) -> None:
        name = type(self.strategy).__name__
        place = f"{hook}: {field}" if field else hook
        raise HookError(f"strategy {name}, {place}: expected {expected}, got {got}")
