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
    def body(self, **kwargs):
        return value

    arguments = {"route_token": "step", "draft": "step", "verify": "block"}
    argument = arguments.get(hook, "positions")
    scope = {"value": value}
    exec(f"def {hook}(self, {argument}):\n    return value", scope)
    return Dispatcher(type("Bad", (Strategy,), {hook: hookimpl(scope[hook])})())


LONG = torch.zeros(3, dtype=torch.long)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ask", "route_token: expected Route, got str 'ask'"),
        (Route(torch.zeros(2, dtype=torch.int8)), "verdict: expected shape [3]"),
        (Route(torch.full((3,), 3)), "verdict: expected KEEP, CHECK or ASK"),
        (Route(torch.zeros(3)), "verdict: expected an integer type"),
        (Route([0, 0, 0]), "verdict: expected Tensor, got list"),
        (
            Route(LONG, torch.tensor([0.0, float("nan"), 0.0])),
            "signal: expected numbers, got NaN",
        ),
        (Route(LONG, torch.zeros(2)), "signal: expected shape [3], got [2]"),
    ],
)
def test_route(value, message):
    with pytest.raises(HookError) as error:
        returning("route_token", value).route_token(step())
    assert "strategy Bad, route_token" in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Draft(torch.zeros(3, 4, dtype=torch.long), LONG + 3), "length: expected 0 to"),
        (Draft(torch.zeros(3, 1, dtype=torch.long), LONG + 2), "length: expected 0 to"),
        (Draft(torch.zeros(2, 1, dtype=torch.long), LONG), "tokens: expected shape"),
    ],
)
def test_draft(value, message):
    with pytest.raises(HookError) as error:
        returning("draft", value).draft(step())
    assert "strategy Bad, draft" in str(error.value)
    assert message in str(error.value)


def test_drafted_ids_outside_the_vocabulary():
    with pytest.raises(HookError, match="draft: tokens: expected ids below 5, got 5"):
        returning("draft", None).check_drafted([1, 5], 5)


TWO = torch.zeros(2, dtype=torch.long)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Verdict(TWO + 3), "accepted: expected 0 to length [2, 2]"),
        (Verdict(TWO - 1), "accepted: expected 0 to length [2, 2]"),
        (Verdict(TWO), "next_law: expected a law where nothing was kept"),
        (Verdict(TWO, torch.full((2, 5), 0.3)), "next_law: expected laws that sum to"),
        (Verdict(TWO, torch.full((2, 4), 0.25)), "next_law: expected shape [2, 5]"),
        (Verdict(TWO, torch.full((2, 5), float("nan"))), "next_law: expected non-neg"),
    ],
)
def test_verify(value, message):
    with pytest.raises(HookError) as error:
        returning("verify", value).verify(block())
    assert "strategy Bad, verify" in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(4, 5), "score: expected log laws that sum to one"),
        (torch.full((4, 5), float("nan")), "score: expected log laws"),
        (torch.zeros(4, 3), "score: expected shape [4, 5]"),
    ],
)
def test_score(value, message):
    logits = torch.zeros(4, 5)
    positions = Positions(logits, logits, torch.zeros(4), torch.zeros(4))
    with pytest.raises(HookError) as error:
        returning("score", value).score(positions)
    assert message in str(error.value)


def test_none_declines():
    assert returning("route_token", None).route_token(step()) is None
    assert returning("verify", None).verify(block()) is None


def test_good_values_pass():
    route = Route(torch.tensor([0, 1, 2], dtype=torch.int8), torch.zeros(3))
    assert returning("route_token", route).route_token(step()) is route
    verdict = Verdict(TWO + 1, torch.full((2, 5), 0.2))
    assert returning("verify", verdict).verify(block()) is verdict
