"""What a hook returns is checked, and the error names strategy, hook and field."""

import pytest
import torch

from hybridcore import Draft, Positions, Route, Step, Strategy, Verdict, hookimpl
from hybridcore.dispatch import Dispatcher
from hybridcore.errors import HookError
from hybridcore.exchange import Block


def step(rows=3, size=5):
    logits = torch.zeros(rows, size)
    return Step(
        logits,
        logits.softmax(-1),
        torch.zeros(rows, dtype=torch.long),
        torch.full((rows,), 2),
        [None] * rows,
    )


def block(rows=2, width=2, size=5):
    law = torch.full((rows, width + 1, size), 1 / size)
    return Block(
        torch.zeros(rows, width, dtype=torch.long),
        torch.full((rows,), width),
        law,
        law,
        law,
        law,
        torch.zeros(rows, dtype=torch.bool),
        torch.zeros(rows, width, dtype=torch.float64),
        [None] * rows,
    )


def returning(hook, value):
    """A dispatcher of a strategy whose ``hook`` returns ``value``."""
    argument = ARGUMENTS[hook]
    scope = {"value": value}
    exec(f"def {hook}(self, {argument}):\n    return value", scope)
    return Dispatcher(type("Bad", (Strategy,), {hook: hookimpl(scope[hook])})())


ARGUMENTS = {
    "route_token": "step",
    "draft": "step",
    "verify": "block",
    "score": "positions",
    "start": "request",
    "observe": "outcome",
}
NAN = float("nan")
LONG = torch.zeros(3, dtype=torch.long)
TWO = torch.zeros(2, dtype=torch.long)


def message_of(call):
    with pytest.raises(HookError) as error:
        call()
    return str(error.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ask", "expected Route, got str 'ask'"),
        (Route([0, 0, 0]), "verdict: expected Tensor, got list [0, 0, 0]"),
        (Route(LONG[:2]), "verdict: expected shape [3], got [2]"),
        (Route(LONG[:, None]), "verdict: expected shape [3], got [3, 1]"),
        (Route(torch.zeros(3)), "verdict: expected an integer type, got torch.float32"),
        (Route(LONG.bool()), "verdict: expected an integer type, got torch.bool"),
        (Route(LONG + 3), "verdict: expected KEEP, CHECK or ASK (0, 1, 2), got 3"),
        (Route(LONG - 1), "verdict: expected KEEP, CHECK or ASK (0, 1, 2), got -1"),
        (Route(LONG.to("meta")), "verdict: expected a tensor on cpu, got one on meta"),
        (Route(LONG, [0.0] * 3), "signal: expected Tensor, got list"),
        (Route(LONG, torch.zeros(2)), "signal: expected shape [3], got [2]"),
        (Route(LONG, LONG), "signal: expected a floating-point type, got torch.int64"),
        (Route(LONG, torch.tensor([0.0, NAN, 0.0])), "signal: expected numbers, got n"),
    ],
)
def test_route(value, message):
    said = message_of(lambda: returning("route_token", value).route_token(step()))
    assert said.startswith("strategy Bad, route_token: ")
    assert message in said


def drafted(tokens=None, length=None, law=None):
    """A good draft of two tokens for three rows, but for what is given."""
    tokens = torch.ones(3, 2, dtype=torch.long) if tokens is None else tokens
    return Draft(tokens, LONG + 2 if length is None else length, law)


def flat_law(rows=3, width=2, size=5):
    return torch.full((rows, width, size), 1 / size)


def with_entry(law, value, row=1, place=0):
    law = law.clone()
    law[row, place, 0] = value
    return law


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (LONG, "expected Draft, got Tensor"),
        (
            drafted(torch.zeros(2, 1).long()),
            "tokens: expected shape [3, K], got [2, 1]",
        ),
        (drafted(LONG), "tokens: expected shape [3, K], got [3]"),
        (drafted(torch.zeros(3, 2)), "tokens: expected torch.int64, got torch.float32"),
        (drafted(torch.zeros(3, 2).int()), "tokens: expected torch.int64, got"),
        (drafted(torch.full((3, 2), 4)), "tokens: expected ids from 0 to 3, got 4"),
        (drafted(torch.full((3, 2), -1)), "tokens: expected ids from 0 to 3, got -1"),
        (drafted(length=LONG[:2]), "length: expected shape [3], got [2]"),
        (drafted(length=LONG.float()), "length: expected an integer type"),
        (drafted(length=LONG - 1), "length: expected 0 to min(budget, K) = 2, got -1"),
        (drafted(length=LONG + 3), "length: expected 0 to min(budget, K) = 2, got 3"),
        (
            drafted(torch.ones(3, 4).long(), LONG + 3),  # the budget is 2
            "length: expected 0 to min(budget, K) = 2, got 3 in row 0",
        ),
        (drafted(law=[1]), "law: expected Tensor, got list [1]"),
        (
            drafted(law=flat_law(width=1)),
            "law: expected shape [3, 2, 5], got [3, 1, 5]",
        ),
        (drafted(law=flat_law(size=4)), "law: expected shape [3, 2, 5], got [3, 2, 4]"),
        (drafted(law=flat_law().long()), "law: expected a floating-point type"),
        (drafted(law=flat_law() * 2), "law: expected laws that sum to one, got a sum"),
        (drafted(law=with_entry(flat_law(), -0.1)), "law: expected non-negative"),
        (drafted(law=with_entry(flat_law(), NAN)), "law: expected laws that sum to on"),
    ],
)
def test_draft(value, message):
    said = message_of(lambda: returning("draft", value).draft(step(), 5, 4))
    assert said.startswith("strategy Bad, draft: ")
    assert message in said


def test_what_lies_behind_the_length_of_a_draft_is_not_looked_at():
    good = drafted(
        torch.tensor([[1, 99], [2, -5], [3, 0]]),
        LONG + 1,
        with_entry(flat_law(), NAN, place=1),
    )
    assert returning("draft", good).draft(step(), 5, 4) is good


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (TWO, "expected Verdict, got Tensor"),
        (Verdict([0, 0]), "accepted: expected Tensor, got list"),
        (Verdict(LONG), "accepted: expected shape [2], got [3]"),
        (Verdict(TWO.bool()), "accepted: expected an integer type, got torch.bool"),
        (Verdict(TWO.float()), "accepted: expected an integer type, got torch.float32"),
        (Verdict(TWO + 3), "accepted: expected 0 to length 2, got 3 in row 0"),
        (Verdict(TWO - 1), "accepted: expected 0 to length 2, got -1 in row 0"),
        (
            Verdict(TWO),
            "next_law: expected a law in rows that accept nothing, got None",
        ),
        (
            Verdict(torch.tensor([1, 0]), torch.tensor([[0.2] * 5, [0.0] * 5])),
            "next_law: expected a law in rows that accept nothing, got zeros in row 1",
        ),
        (Verdict(TWO, torch.full((2, 5), 0.3)), "next_law: expected laws that sum to"),
        (Verdict(TWO, torch.full((2, 4), 0.25)), "next_law: expected shape [2, 5]"),
        (Verdict(TWO, [0.2]), "next_law: expected Tensor, got list"),
        (Verdict(TWO, torch.ones(2, 5).long()), "next_law: expected a floating-point"),
        (Verdict(TWO, torch.full((2, 5), NAN)), "next_law: expected laws that sum to"),
        (
            Verdict(TWO, torch.full((2, 5), torch.inf)),
            "next_law: expected laws that su",
        ),
        (
            Verdict(TWO + 1, torch.tensor([[-1.0, 2.0, 0.0, 0.0, 0.0]] * 2)),
            "next_law: expected non-negative numbers, got -1.0",
        ),
        (
            Verdict(TWO + 1, torch.tensor([[-1.0, 1.0, 0.0, 0.0, 0.0]] * 2)),
            "next_law: expected non-negative numbers, got -1.0",
        ),
    ],
)
def test_verify(value, message):
    said = message_of(lambda: returning("verify", value).verify(block()))
    assert said.startswith("strategy Bad, verify: ")
    assert message in said


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.0], "expected Tensor, got list [0.0]"),
        (torch.zeros(4, 3), "expected shape [4, 5], got [4, 3]"),
        (torch.zeros(4, 5).long(), "expected a floating-point type, got torch.int64"),
        (torch.zeros(4, 5), "expected log laws that sum to one, got a log sum of 1.6"),
        (
            torch.full((4, 5), NAN),
            "expected log laws that sum to one, got a log sum of",
        ),
        (torch.full((4, 5), torch.inf), "expected log laws that sum to one"),
    ],
)
def test_score(value, message):
    logits = torch.zeros(4, 5)
    positions = Positions(logits, logits, torch.zeros(4), torch.zeros(4))
    said = message_of(lambda: returning("score", value).score(positions))
    assert said.startswith("strategy Bad, score: ")
    assert message in said


def test_none_declines():
    assert returning("route_token", None).route_token(step()) is None
    assert returning("draft", None).draft(step(), 5, 5) is None
    assert returning("verify", None).verify(block()) is None


def test_good_values_pass():
    route = Route(torch.tensor([0, 1, 2], dtype=torch.int8), torch.zeros(3))
    assert returning("route_token", route).route_token(step()) is route
    draft = drafted(law=flat_law())
    assert returning("draft", draft).draft(step(), 5, 4) is draft
    # the second row emits no token of its own
    law = torch.tensor([[0.2] * 5, [0.0] * 5])
    verdict = Verdict(torch.tensor([0, 1]), law)
    assert returning("verify", verdict).verify(block()) is verdict


class Failing(Strategy):
    """Every hook divides by zero."""

    @hookimpl
    def route_token(self, step):
        return 1 / 0

    @hookimpl
    def draft(self, step):
        return 1 / 0

    @hookimpl
    def verify(self, block):
        return 1 / 0

    @hookimpl
    def score(self, positions):
        return 1 / 0

    @hookimpl
    def start(self, request):
        return 1 / 0

    @hookimpl
    def observe(self, outcome):
        return [].pop()


@pytest.mark.parametrize("hook", ARGUMENTS)
def test_a_hook_that_raises_is_named(hook):
    call = getattr(Dispatcher(Failing()), hook)
    arguments = (None, 5, 5) if hook == "draft" else (None,)
    with pytest.raises(HookError) as error:
        call(*arguments)
    raised = "IndexError: pop" if hook == "observe" else "ZeroDivisionError: division"
    assert f"strategy Failing, {hook}: raised {raised}" in str(error.value)
    first = Failing.__dict__[hook].__code__.co_firstlineno
    assert f"{__file__}, line {first + 2}" in str(error.value)
    assert type(error.value.__cause__) in (ZeroDivisionError, IndexError)
