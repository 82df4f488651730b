"""ROUTE: verdicts are well formed, reproducible, and a matter of the row alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from ...dispatch import Dispatcher
from ...errors import HookError
from ...exchange import Route
from ..capabilities import (
    DIALLED,
    DRAFTS,
    READS_SLM,
    ROUTES,
    TRUSTS,
    induces_a_law,
)
from ..check import Capability, Failure, Family
from ..dial import dial, ends, grid
from ..pair import TablePair
from ..purity import pure
from ..rows import Rows, named, verdicts
from ..states import check_states
from ..subject import Subject

ROUTE = Family("ROUTE")
SIZES = ((1, 4), (1, 9), (5, 9))  # rows and tokens, smallest first
SAMPLES_ITSELF = Capability(
    "have no `draft`", "drafts by itself", lambda s: not DRAFTS.holds(s)
)


@ROUTE.check("returns a Route with one verdict a row, or None", ROUTES, contract=True)
def well_formed(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for count, size in SIZES:
        rows = Rows.random(count, size, seed=count)
        try:
            verdicts(dispatcher, rows)
        except HookError as error:
            raise Failure.of_hook_error(error, str(rows)) from None


@ROUTE.check("the same row gets the same verdict, whenever and wherever", ROUTES)
def reproducible(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for count, size in (*SIZES, (48, 9)):
        rows = Rows.random(count, size, seed=3)
        first = verdicts(dispatcher, rows)
        again = {
            "asked again": verdicts(dispatcher, rows),
            "in a new instance": verdicts(subject.dispatcher(), rows),
        }
        for when, second in again.items():
            _compare(rows, first, second, when)
    if subject.point is not None and isinstance(subject.fresh.transcript, dict):
        there = subject.fresh.transcript["verdicts"]
        _compare(rows, first, there, "in a new process")


@ROUTE.check("changes neither what it is given, nor itself, nor the world", ROUTES)
def harmless(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for count, size in SIZES:
        rows = Rows.random(count, size, seed=count + 10)
        step = rows.step(dispatcher)
        with pure("route_token", dispatcher.strategy, step, str(rows)):
            dispatcher.route_token(step)


@ROUTE.check("rows do not influence each other", ROUTES)
def rows_alone(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    check_states(dispatcher)
    for count in (2, 5, 12):
        rows = Rows.random(count, 9, seed=count + 20)
        together = verdicts(dispatcher, rows)
        alone = [verdicts(dispatcher, rows.pick([i]))[0] for i in range(count)]
        _compare(rows, alone, together, f"beside {count - 1} other rows")
        turned = verdicts(dispatcher, rows.pick(range(count)[::-1]))[::-1]
        _compare(rows, alone, turned, "in another order")


@ROUTE.check("columns that are no tokens change nothing", ROUTES, READS_SLM)
def padded_vocabulary(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for count, more in ((1, 1), (5, 7), (64, 23)):
        rows = Rows.random(count, 9, seed=count + 30)
        columns = torch.full((count, more), -torch.inf)
        wide = torch.cat([rows.logits, columns], dim=1)
        _same_answers(dispatcher, rows, wide, f"with {more} columns of -inf behind")


@ROUTE.check("survives extreme logits, and never routes by NaN", ROUTES, READS_SLM)
def extreme_logits(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    rows = Rows.random(1, 6, seed=40)
    kinds = {
        "all equal": torch.zeros(1, 6),
        "one finite": torch.full((1, 6), -torch.inf).index_fill(1, _index(2), 0.0),
        "half of them -inf": rows.logits.index_fill(1, _index(0, 2, 4), -torch.inf),
        "far apart": rows.logits * 1e4,
    }
    answers = {repr(_answer(dispatcher, rows))}
    for kind, logits in kinds.items():
        try:
            answers.add(repr(_answer(dispatcher, rows, logits)))
        except Exception as error:  # whatever it raises
            example = f"logits {kind}: {logits.tolist()}"
            raise Failure.of_exception(error, example) from None
    if len(answers) > 1:
        _refuses_nan(dispatcher, rows)


@ROUTE.check(
    "half precision flips no verdict far from the threshold", ROUTES, READS_SLM
)
def rounded_logits(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    rows = Rows.random(256, 9, seed=50)
    exact = verdicts(dispatcher, rows)
    for dtype in (torch.bfloat16, torch.float16):
        rounded = rows.logits.to(dtype).float()
        flipped = _differences(exact, verdicts(dispatcher, rows, rounded))
        if len(flipped) > len(rows) // 10:
            raise Failure(
                f"the verdicts of float32 in at least 9 of 10 rows, in {dtype}",
                f"{len(flipped)} of {len(rows)} differ",
                str(rows.pick(flipped[:1])),
            )


@ROUTE.check(
    "asks on the uncertain side, and its dial turns one way", ROUTES, READS_SLM
)
def monotone(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    rows = Rows.random(32, 9, seed=60)
    _compare_certainties(dispatcher, rows)
    name = dial(subject)
    if name is None:
        return
    asks = [
        {i for i, v in enumerate(verdicts(d, rows)) if v == Route.ASK}
        for d in (subject.dispatcher(**{name: value}) for value in grid(subject, name))
    ]
    steps = list(itertools.pairwise(asks))
    rising, falling = all(a <= b for a, b in steps), all(a >= b for a, b in steps)
    if not (rising or falling):
        raise Failure(
            f"a higher {name} asks in the same rows and more, or in the same and fewer",
            f"rows that ask, as {name} rises: {[len(a) for a in asks]}",
            str(rows),
        )


@ROUTE.check(
    "at one end of its dial the SLM answers and scores alone, at the other the LLM",
    *(ROUTES, DIALLED, TRUSTS, SAMPLES_ITSELF),
)
def ends_of_the_dial(subject: Subject) -> None:
    name = dial(subject)
    assert name is not None
    rows = Rows.random(64, 9, seed=70)
    low, high = ends(subject, name)
    found = {
        value: set(verdicts(subject.dispatcher(**{name: value}), rows))
        for value in (low, high)
    }
    wanted = [{Route.KEEP}, {Route.ASK}]
    if (
        found[low] not in wanted
        or found[high] not in wanted
        or found[low] == found[high]
    ):
        shown = {f"{name}={value}": _words(said) for value, said in found.items()}
        raise Failure(
            "KEEP everywhere at one end, ASK everywhere at the other", str(shown)
        )
    for value, said in found.items():
        asks = said == {Route.ASK}
        _text_of_one_model(subject, name, value, asks)
        if induces_a_law(subject):
            _scores_of_one_model(subject, name, value, asks)


@ROUTE.check("adding a constant to all logits changes nothing", ROUTES, READS_SLM)
def shifted(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for count in (1, 5, 128):
        rows = Rows.random(count, 9, seed=count + 80)
        for constant in (32.0, 4096.0, -4096.0):
            moved = rows.logits + constant
            _same_answers(
                dispatcher, rows, moved, f"with {constant} added to all logits"
            )


def _text_of_one_model(subject: Subject, name: str, value: float, asks: bool) -> None:
    pair = TablePair.random(8, seed=7)
    prompts = [[i] for i in range(8)]
    table, model = (pair.p, "LLM") if asks else (pair.q, "SLM")
    for prompt, answer, expected in zip(
        prompts,
        pair.run(subject.dispatcher(**{name: value}), prompts, 6),
        pair.alone(table, prompts, 6),
        strict=True,
    ):
        if answer.tokens != expected:
            raise Failure(
                f"the {model}'s text {list(expected)} at {name}={value}",
                f"{list(answer.tokens)}",
                f"prompt {prompt}, temperature 0",
            )
    if not asks and pair.llm.forwards:
        raise Failure(f"no LLM forward at {name}={value}", f"{pair.llm.forwards}")


def _scores_of_one_model(subject: Subject, name: str, value: float, asks: bool) -> None:
    from ..table_scores import by_hand, mixed_requests, table_scores

    pair = TablePair.random(8, seed=8)
    table, model = (pair.p, "LLM") if asks else (pair.q, "SLM")
    requests = mixed_requests(8)
    found = table_scores(subject.dispatcher(**{name: value}), pair, requests)
    for request, score in zip(requests, found, strict=True):
        expected = by_hand(table, request)
        if abs(score.log_likelihood - expected) > 1e-4:
            raise Failure(
                f"the {model}'s score {expected:.6f} at {name}={value}",
                f"{score.log_likelihood:.6f}",
                f"{request}",
            )


def _refuses_nan(dispatcher: Dispatcher, rows: Rows) -> None:
    for count in (1, 6):
        logits = rows.logits.clone()
        logits[0, :count] = torch.nan
        try:
            said = verdicts(dispatcher, rows, logits)
        except Exception:  # any refusal will do
            continue
        raise Failure(
            "an error where the SLM's logits are NaN (a signal of NaN is one)",
            f"{named(said[0])}, as if nothing were wrong",
            f"logits {logits.tolist()}",
        )


def _compare_certainties(dispatcher: Dispatcher, rows: Rows) -> None:
    """Sharpen every law step by step: the LLM must not come in on the way."""
    steps = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 16.0, 64.0)
    walks = [verdicts(dispatcher, rows, rows.logits * sharp) for sharp in steps]
    for i in range(len(rows)):
        walk = [said[i] for said in walks]
        for sharp, before, after in zip(steps[1:], walk, walk[1:], strict=False):
            if after > before:
                raise Failure(
                    f"at most {named(before)} where the SLM is more certain",
                    named(after),
                    f"logits times {sharp} after flatter ones; {rows.pick([i])}",
                )


Answer = list[tuple[int, float | None]]


def _answer(dispatcher: Dispatcher, rows: Rows, logits: Tensor | None = None) -> Answer:
    """Return verdict and signal of each row."""
    route = dispatcher.route_token(rows.step(dispatcher, logits))
    if route is None:
        return [(Route.KEEP, None)] * len(rows)
    signals = [None] * len(rows) if route.signal is None else route.signal.tolist()
    return list(zip(route.verdict.tolist(), signals, strict=True))


def _same_answers(
    dispatcher: Dispatcher, rows: Rows, logits: Tensor, when: str
) -> None:
    before, after = _answer(dispatcher, rows), _answer(dispatcher, rows, logits)
    for i, ((verdict, signal), (other, moved)) in enumerate(
        zip(before, after, strict=True)
    ):
        if verdict != other:
            raise Failure(named(verdict), f"{named(other)} {when}", str(rows.pick([i])))
        if signal is None or moved is None:
            continue
        if abs(signal - moved) > 1e-3 * (1 + abs(signal)):
            raise Failure(
                f"the signal {signal:.6g}", f"{moved:.6g} {when}", str(rows.pick([i]))
            )


def _compare(rows: Rows, first: list[int], second: list[int], when: str) -> None:
    for i in _differences(first, second)[:1]:
        raise Failure(
            named(first[i]), f"{named(second[i])} {when}", str(rows.pick([i]))
        )


def _differences(first: Sequence[int], second: Sequence[int]) -> list[int]:
    pairs = enumerate(zip(first, second, strict=True))
    return [i for i, (one, other) in pairs if one != other]


def _words(said: set[int]) -> str:
    return " and ".join(named(verdict) for verdict in sorted(said))


def _index(*columns: int) -> Tensor:
    return torch.tensor(columns)
