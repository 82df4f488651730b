"""Calls the hooks of one strategy and checks what they return.

A wrong shape, type, range or a NaN is an error that names the strategy, the hook,
the field, what was expected and what came: it never becomes a silent route. So is an
exception of a hook's own.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

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
from .hook_checks import HookChecks, law_facts
from .strategy import Strategy
from .transfer import fetch


class Dispatcher:
    """The hooks of one strategy, called with checks.

    Every method raises :class:`HookError` where the hook fails or returns what it
    must not.

    :raises StrategyBroken: at construction, where a hook is misspelt or unmarked.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.hooks = strategy.hooks()
        self.checks = HookChecks(type(strategy).__name__)
        self._call = plugin_manager(strategy).hook

    def start(self, request: Request) -> Any:
        """Return the strategy's state for a new row, or None."""
        return self._answer("start", request=request)

    def route_token(self, step: Step) -> Route | None:
        """Return B checked verdicts, or None where the default KEEP applies."""
        route = self.unread_route(step)
        if route is not None:
            self.checks.route_values(*fetch(route.verdict, route.signal))
        return route

    def unread_route(self, step: Step) -> Route | None:
        """Return B verdicts whose values the caller is to check when it has them."""
        route = self._answer("route_token", step=step)
        return None if route is None else self.checks.route(route, step)

    def draft(self, step: Step, size: int, real: int) -> Draft | None:
        """Return checked drafts, or None where one token is to be drawn from q.

        ``size`` is V; ids at and beyond ``real`` are padding columns.
        """
        draft = self.unread_draft(step, size)
        if draft is not None:
            facts = law_facts(draft.law)
            values = fetch(draft.tokens, draft.length, step.budget, *facts)
            tokens, lengths, budgets, sums, lowest = values
            self.checks.draft_values(tokens, lengths, budgets, real, sums, lowest)
        return draft

    def unread_draft(self, step: Step, size: int) -> Draft | None:
        """Return drafts whose values the caller is to check when it has them."""
        draft = self._answer("draft", step=step)
        return None if draft is None else self.checks.draft(draft, step, size)

    def verify(self, block: Block) -> Verdict | None:
        """Return a checked verdict, or None where every draft is accepted."""
        verdict = self.unread_verdict(block)
        if verdict is not None:
            facts = law_facts(verdict.next_law)
            values = fetch(verdict.accepted, block.length, *facts)
            self.checks.verdict_values(*values)
        return verdict

    def unread_verdict(self, block: Block) -> Verdict | None:
        """Return a verdict whose values the caller is to check when it has them."""
        verdict = self._answer("verify", block=block)
        return None if verdict is None else self.checks.verdict(verdict, block)

    def score(self, positions: Positions) -> Tensor | None:
        """Return checked log laws ``[N, V]``, or None to let the core derive them."""
        law = self._answer("score", positions=positions)
        if law is None:
            return None
        law = self.checks.score(law, positions)
        self.checks.score_values(*fetch(law.logsumexp(-1)))
        return law

    def observe(self, outcome: Outcome) -> None:
        """Tell the strategy what a step committed."""
        self._answer("observe", outcome=outcome)

    def _answer(self, hook: str, **argument: Any) -> Any:
        if hook not in self.hooks:
            return None
        try:
            return getattr(self._call, hook)(**argument)
        except Exception as error:
            name = type(self.strategy).__name__
            raise HookError(
                f"strategy {name}, {hook}: raised {type(error).__name__}: {error}\n"
                f"at {self._place(error)}"
            ) from error

    def _place(self, error: Exception) -> str:
        """Return the last line of the strategy's own file, else of any, that failed."""
        frames = traceback.extract_tb(error.__traceback__)
        module = sys.modules.get(type(self.strategy).__module__)
        own = getattr(module, "__file__", None)
        frame = next((f for f in reversed(frames) if f.filename == own), frames[-1])
        return f"{frame.filename}, line {frame.lineno}"
