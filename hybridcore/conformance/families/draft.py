"""DRAFT: proposals are well formed, honest about their law, and within the budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...dispatch import Dispatcher
from ...errors import HookError
from ...exchange import Draft, Step
from ..capabilities import DRAFTS
from ..check import Failure, Family
from ..draft_limits import COUNT, draft_limits
from ..pair import TablePair
from ..purity import pure
from ..rows import Rows, drafting
from ..states import check_states
from ..subject import Subject

DRAFT = Family("DRAFT")
SIZES = ((1, 4), (1, 9), (5, 9), (12, 9))


@DRAFT.check(
    "returns a Draft of known tokens, int64, on the step's device, or None",
    DRAFTS,
    contract=True,
)
def well_formed(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for rows in _samples():
        step, members = drafting(dispatcher, rows)
        said = _raw(dispatcher, step) if members else None
        if said is None:
            continue
        if isinstance(said, Draft):
            said = replace(said, law=None)  # the next check's
        size = rows.logits.shape[1]
        try:
            draft = dispatcher.checks.draft(said, step, size)
            values = (draft.tokens.tolist(), draft.length.tolist())
            budgets = step.budget.tolist()
            dispatcher.checks.draft_values(*values, budgets, size, None, None)
        except HookError as error:
            raise Failure.of_hook_error(error, str(rows)) from None


@DRAFT.check("its laws sum to one and allow each drafted token", DRAFTS, contract=True)
def honest_laws(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for rows in _samples():
        step, members = drafting(dispatcher, rows)
        draft = _raw(dispatcher, step) if members else None
        if draft is None or draft.law is None:
            continue
        shape = [*draft.tokens.shape, rows.logits.shape[1]]
        if list(draft.law.shape) != shape:
            got = f"{list(draft.law.shape)}"
            raise Failure(f"draft.law of shape {shape}", got, str(rows))
        for j, tokens in enumerate(_kept(draft)):
            for k, token in enumerate(tokens):
                _check_law(draft.law[j, k], token, str(rows.pick([members[j]])))


@DRAFT.check("is reproducible, harmless, and a matter of the row alone", DRAFTS)
def rows_alone(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    check_states(dispatcher)
    for rows in _samples():
        step, members = drafting(dispatcher, rows)
        if not members:
            continue
        with pure("draft", dispatcher.strategy, step, str(rows)):
            found = dispatcher.draft(step, *_sizes(rows))
        together = _texts(found, len(members))
        again = _texts(_proposed(dispatcher, rows), len(members))
        for j, i in enumerate(members):
            row = rows.pick([i])
            alone = _texts(_proposed(dispatcher, row), 1)[0]
            for said, when in (
                (together[j], f"in {len(rows)} rows"),
                (again[j], "again"),
            ):
                if said != alone:
                    raise Failure(f"the draft {alone}", f"{said} {when}", str(row))


@DRAFT.check(
    f"keeps to the budget, to {COUNT}, and to texts of a single token",
    DRAFTS,
    contract=True,
)
def within_budget(subject: Subject) -> None:
    _short_texts(subject)
    pair = TablePair.random(8, seed=4)
    pair.p.fill_diagonal_(3.0)
    prompts = [[i] for i in range(8)]
    for budget in (1, 2, 3, 5):
        for answer in pair.run(subject.dispatcher(), prompts, budget):
            if len(answer.tokens) > budget:
                raise Failure(
                    f"at most {budget} tokens", f"{len(answer.tokens)}", f"{prompts[0]}"
                )
    for count in draft_limits(subject):
        longest = _longest_draft(subject.dispatcher(**{COUNT: count}))
        if longest > count:
            raise Failure(f"at most {count} drafts at {COUNT}={count}", f"{longest}")


def _short_texts(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for budget in (1, 2, 3):
        for rows in _samples():
            tight = replace(
                rows,
                budget=(budget,) * len(rows),
                tokens=tuple(ids[:1] for ids in rows.tokens),
                pending=(0,) * len(rows),
            )
            _proposed(dispatcher, tight)


def _longest_draft(dispatcher: Dispatcher) -> int:
    """Return how much the hook proposes in one go."""
    drafts = [_proposed(dispatcher, rows) for rows in _samples()]
    lengths = [draft.length.tolist() for draft in drafts if draft is not None]
    return max(map(max, lengths), default=0)


def _samples() -> list[Rows]:
    """Rows whose texts repeat themselves, so that looking back finds something."""
    made = []
    for count, size in SIZES:
        rows = Rows.random(count, size, seed=count + 90)
        made.append(replace(rows, tokens=tuple(ids + ids[:3] for ids in rows.tokens)))
    return made


def _proposed(dispatcher: Dispatcher, rows: Rows) -> Draft | None:
    step, members = drafting(dispatcher, rows)
    if not members:
        return None
    try:
        return dispatcher.draft(step, *_sizes(rows))
    except HookError as error:
        raise Failure.of_hook_error(error, str(rows)) from None


def _raw(dispatcher: Dispatcher, step: Step) -> Draft | None:
    """Return what the hook itself says, unchecked."""
    strategy: Any = dispatcher.strategy
    said: Draft | None = strategy.draft(step=step)
    return said


def _sizes(rows: Rows) -> tuple[int, int]:
    return rows.logits.shape[1], rows.logits.shape[1]


def _kept(draft: Draft) -> list[list[int]]:
    lengths = draft.length.tolist()
    return [ids[:n] for ids, n in zip(draft.tokens.tolist(), lengths, strict=True)]


def _texts(draft: Draft | None, count: int) -> list[list[int] | None]:
    return [None] * count if draft is None else [*_kept(draft)]


def _check_law(law: Tensor, token: int, example: str) -> None:
    mass = float(law.sum())
    if not torch.isfinite(law).all() or (law < 0).any() or abs(mass - 1) > 1e-3:
        raise Failure("a law that sums to one", f"{law.tolist()}, sum {mass}", example)
    if float(law[token]) <= 0:
        raise Failure(
            f"a law that allows the drafted token {token}", f"{law.tolist()}", example
        )
