"""Steps made by hand: what ``route_token`` and ``draft`` are asked in the checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..dispatch import Dispatcher
from ..exchange import Request, Route, Step

# width of the embedded SLM's hidden states, so that a head trained on it fits
HIDDEN = 64


@dataclass(frozen=True)
class Rows:
    """B rows at the position to decide.

    Attributes:
        logits: ``[B, V]`` raw logits of the SLM.
        tokens: for each row the ids before the position.
        pending: for each row, how many of the last ids are of the open block.
        budget: for each row, how many tokens may still join it.
        seed: of the hidden states.
    """

    logits: Tensor
    tokens: tuple[tuple[int, ...], ...]
    pending: tuple[int, ...]
    budget: tuple[int, ...]
    seed: int = 0

    @classmethod
    def random(cls, count: int, size: int, seed: int, spread: float = 2.0) -> Rows:
        """Return ``count`` rows over ``size`` tokens; no two are alike."""
        generator = torch.Generator().manual_seed(seed)

        def whole(low: int, high: int, n: int) -> tuple[int, ...]:
            return tuple(torch.randint(low, high, (n,), generator=generator).tolist())

        # multiples of 1/64: adding a whole number to them rounds nothing
        logits = torch.randn(count, size, generator=generator) * spread
        lengths = whole(5, 12, count)
        return cls(
            (logits * 64).round() / 64,
            tuple(whole(0, size, length) for length in lengths),
            whole(0, 4, count),
            whole(16, 40, count),
            seed,
        )

    def __len__(self) -> int:
        return len(self.tokens)

    def pick(self, indices: Sequence[int]) -> Rows:
        """Return some of the rows, in another order or alone."""
        return replace(
            self,
            logits=self.logits[list(indices)],
            tokens=tuple(self.tokens[i] for i in indices),
            pending=tuple(self.pending[i] for i in indices),
            budget=tuple(self.budget[i] for i in indices),
        )

    def step(self, dispatcher: Dispatcher, logits: Tensor | None = None) -> Step:
        """Return what a hook is given, with fresh tensors, lists and states.

        :param logits: in place of the rows' own.
        """
        raw = (self.logits if logits is None else logits).clone()
        reads = "slm" in dispatcher.strategy.requires
        wants_hidden = "slm_hidden" in dispatcher.strategy.requires
        tokens = [list(ids) for ids in self.tokens]
        return Step(
            logits=raw if reads else None,
            law=raw.softmax(-1) if reads else None,
            pending=torch.tensor(self.pending),
            budget=torch.tensor(self.budget),
            states=[dispatcher.start(self.request(i)) for i in range(len(self))],
            hidden=self._hidden() if wants_hidden else None,
            sequences=tokens.__getitem__,
        )

    def request(self, i: int) -> Request:
        """Return the request that row ``i`` belongs to."""
        begun = len(self.tokens[i]) - self.pending[i]
        return Request(self.tokens[i][:begun], self.budget[i] + self.pending[i])

    def _hidden(self) -> Tensor:
        states = []
        for ids in self.tokens:
            generator = torch.Generator().manual_seed(self.seed + sum(ids))
            states.append(torch.randn(HIDDEN, generator=generator))
        return torch.stack(states)

    def __str__(self) -> str:
        size = self.logits.shape[1]
        logits = [
            [round(x, 3) for x in row[:8]] + ["..."] * (size > 8)
            for row in self.logits[:2].tolist()
        ]
        fields = {
            "logits": logits,
            "pending": list(self.pending),
            "budget": list(self.budget),
            "tokens": [list(ids) for ids in self.tokens[:2]],
        }
        shown = ", ".join(f"{name} {value}" for name, value in fields.items())
        return f"step of {len(self)} rows, V = {size}: {shown}"


def verdicts(
    dispatcher: Dispatcher, rows: Rows, logits: Tensor | None = None
) -> list[int]:
    """Return what ``route_token`` says of each row, from fresh states."""
    route = dispatcher.route_token(rows.step(dispatcher, logits))
    return [Route.KEEP] * len(rows) if route is None else route.verdict.tolist()


def drafting(dispatcher: Dispatcher, rows: Rows) -> tuple[Step, list[int]]:
    """Return the step that ``draft`` is asked behind ``route_token``, and its rows."""
    step = rows.step(dispatcher)
    route = dispatcher.route_token(step)
    if route is None:
        return step, list(range(len(rows)))
    members = [i for i, v in enumerate(route.verdict.tolist()) if v != Route.ASK]
    return select(step, members), members


def select(step: Step, members: Sequence[int]) -> Step:
    """Return the step of some of its rows."""
    index = torch.tensor(members, dtype=torch.long)
    return Step(
        logits=None if step.logits is None else step.logits[index],
        law=None if step.law is None else step.law[index],
        pending=step.pending[index],
        budget=step.budget[index],
        states=[step.states[i] for i in members],
        hidden=None if step.hidden is None else step.hidden[index],
        sequences=lambda j: step.tokens(members[j]),
    )


NAMES = ("KEEP", "CHECK", "ASK")


def named(verdict: int) -> str:
    """Return the name of a verdict."""
    return NAMES[verdict]
