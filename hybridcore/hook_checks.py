"""What the hooks of a strategy may return, and the errors that say it did not.

Types, shapes and devices are known without waiting for a device; values are checked
on the host, on the few numbers of each row that the caller fetched there anyway. Of a
law these are its sum and its smallest entry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from .errors import HookError
from .exchange import Block, Draft, Positions, Route, Step, Verdict

_TOLERANCE = 1e-3  # of the sum of a law


def law_facts(law: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Return the sums and smallest entries of laws ``[..., V]``, if there are any."""
    if law is None:
        return None, None
    return law.sum(-1), law.amin(-1)


class HookChecks:
    """Checks for one strategy; every failure is a :class:`HookError` that names it.

    :param strategy: its name, for messages.
    """

    def __init__(self, strategy: str) -> None:
        self._strategy = strategy

    def route(self, route: Any, step: Step) -> Route:
        """Check types, shapes and devices of what ``route_token`` returned."""
        check = _Field(self, "route_token", step.pending.device)
        check.type("", route, Route)
        check.whole("verdict", route.verdict, [len(step)])
        if route.signal is not None:
            check.real("signal", route.signal, [len(step)])
        return route

    def route_values(
        self, verdicts: Sequence[int], signals: Sequence[float] | None
    ) -> None:
        """Check the verdicts and signals of B rows."""
        for bad in (min(verdicts), max(verdicts)):
            if not Route.KEEP <= bad <= Route.ASK:
                self.fail("route_token", "verdict", "KEEP, CHECK or ASK (0, 1, 2)", bad)
        if signals is not None and any(map(math.isnan, signals)):
            self.fail("route_token", "signal", "numbers", "nan")

    def draft(self, draft: Any, step: Step, size: int) -> Draft:
        """Check types, shapes and devices of what ``draft`` returned.

        ``size`` is V.
        """
        check = _Field(self, "draft", step.pending.device)
        check.type("", draft, Draft)
        check.whole("length", draft.length, [len(step)])
        check.whole("tokens", draft.tokens, [len(step), "K"], only=torch.int64)
        if draft.law is not None:
            check.real("law", draft.law, [len(step), draft.tokens.shape[1], size])
        return draft

    def draft_values(
        self,
        tokens: Sequence[Sequence[int]],
        lengths: Sequence[int],
        budgets: Sequence[int],
        real: int,
        sums: Sequence[Sequence[float]] | None,
        lowest: Sequence[Sequence[float]] | None,
    ) -> None:
        """Check the drafts of B rows; ids at and beyond ``real`` are padding columns.

        What lies behind a row's length is not looked at.
        """
        for row, (length, budget) in enumerate(zip(lengths, budgets, strict=True)):
            limit = min(budget, len(tokens[row]))
            if not 0 <= length <= limit:
                expected = f"0 to min(budget, K) = {limit}"
                self.fail("draft", "length", expected, f"{length} in row {row}")
            inside = tokens[row][:length]
            if inside and (min(inside) < 0 or max(inside) >= real):
                bad = next(token for token in inside if not 0 <= token < real)
                self.fail("draft", "tokens", f"ids from 0 to {real - 1}", bad)
            if sums is not None and lowest is not None:
                self._law("draft", "law", sums[row][:length], lowest[row][:length])

    def verdict(self, verdict: Any, block: Block) -> Verdict:
        """Check types, shapes and devices of what ``verify`` returned."""
        check = _Field(self, "verify", block.length.device)
        check.type("", verdict, Verdict)
        check.whole("accepted", verdict.accepted, [len(block.length)])
        if verdict.next_law is not None:
            shape = [len(block.length), block.p.shape[-1]]
            check.real("next_law", verdict.next_law, shape)
        return verdict

    def verdict_values(
        self,
        accepted: Sequence[int],
        lengths: Sequence[int],
        sums: Sequence[float] | None,
        lowest: Sequence[float] | None,
    ) -> None:
        """Check the verdicts of B rows; a law that sums to 0 has no negative entry."""
        for row, (kept, length) in enumerate(zip(accepted, lengths, strict=True)):
            if not 0 <= kept <= length:
                expected = f"0 to length {length}"
                self.fail("verify", "accepted", expected, f"{kept} in row {row}")
            if kept == 0 and (sums is None or sums[row] == 0.0):
                got = "None" if sums is None else "zeros"
                expected = "a law in rows that accept nothing"
                self.fail("verify", "next_law", expected, f"{got} in row {row}")
        if sums is not None and lowest is not None:
            emitting = [mass or 1.0 for mass in sums]
            self._law("verify", "next_law", emitting, lowest)

    def score(self, law: Any, positions: Positions) -> Tensor:
        """Check types, shapes and devices of what ``score`` returned."""
        check = _Field(self, "score", positions.p_logits.device)
        check.real("", law, list(positions.p_logits.shape))
        return law

    def score_values(self, log_sums: Sequence[float]) -> None:
        """Check the log of the sum of each of N laws."""
        for log_sum in log_sums:
            if not abs(log_sum) <= _TOLERANCE:
                expected = "log laws that sum to one"
                self.fail("score", "", expected, f"a log sum of {log_sum!r}")

    def fail(self, hook: str, field: str, expected: str, got: Any) -> NoReturn:
        """Raise the error of one field."""
        place = f"{hook}: {field}" if field else hook
        raise HookError(
            f"strategy {self._strategy}, {place}: expected {expected}, got {got}"
        )

    def _law(
        self, hook: str, field: str, sums: Sequence[float], lowest: Sequence[float]
    ) -> None:
        for mass, low in zip(sums, lowest, strict=True):
            if low < 0.0:
                self.fail(hook, field, "non-negative numbers", repr(low))
            # False for NaN, too
            if not abs(mass - 1.0) <= _TOLERANCE:
                self.fail(hook, field, "laws that sum to one", f"a sum of {mass!r}")


class _Field:
    """What is known of a field without reading its values."""

    def __init__(self, checks: HookChecks, hook: str, device: torch.device) -> None:
        self._checks = checks
        self._hook = hook
        self._device = device

    def type(self, field: str, value: Any, kind: type) -> None:
        if not isinstance(value, kind):
            got = f"{type(value).__name__} {value!r}"
            self._checks.fail(self._hook, field, kind.__name__, got)

    def whole(
        self,
        field: str,
        value: Any,
        shape: Sequence[int | str],
        only: torch.dtype | None = None,
    ) -> None:
        """An integer tensor; letters in ``shape`` stand for any size."""
        self._tensor(field, value, shape)
        kind = value.dtype
        if only is not None and kind != only:
            self._checks.fail(self._hook, field, str(only), kind)
        if kind.is_floating_point or kind.is_complex or kind == torch.bool:
            self._checks.fail(self._hook, field, "an integer type", kind)

    def real(self, field: str, value: Any, shape: Sequence[int | str]) -> None:
        """A floating-point tensor."""
        self._tensor(field, value, shape)
        if not value.dtype.is_floating_point:
            self._checks.fail(self._hook, field, "a floating-point type", value.dtype)

    def _tensor(self, field: str, value: Any, shape: Sequence[int | str]) -> None:
        self.type(field, value, Tensor)
        got = list(value.shape)
        fits = len(got) == len(shape) and all(
            want in (size, "K") for want, size in zip(shape, got, strict=True)
        )
        if not fits:
            wanted = f"shape [{', '.join(map(str, shape))}]"
            self._checks.fail(self._hook, field, wanted, got)
        if value.device != self._device:
            expected = f"a tensor on {self._device}"
            self._checks.fail(self._hook, field, expected, f"one on {value.device}")
