"""``check_strategy``: gates, outcomes, names, the table."""

import pytest
import torch

from hybridcore import Route, Strategy, hookimpl, option
from hybridcore.conformance import SUITE_VERSION, check_strategy
from hybridcore.conformance.check import Check, Failure
from hybridcore.conformance.suite import CHECKS
from hybridcore.errors import ArgumentError, StrategyNotFound

from .mutants.load import ForgottenHookimpl, Good


def fails(subject):
    raise Failure("one", "another", "the smallest input")


def made(number, run=lambda subject: None, **fields):
    return Check(f"MADE-{number}", f"the title of {number}", run, **fields)


def outcomes(results):
    return {result.id: result.outcome for result in results}


def test_ids_are_unique_and_counted():
    ids = [check.id for check in CHECKS]
    assert len(set(ids)) == len(ids) == 45
    sizes = {"LOAD": 10, "ROUTE": 10, "DRAFT": 4, "VERIFY": 10, "SCORE": 6, "EVAL": 2}
    for family, size in {**sizes, "PERF": 2, "DOC": 1}.items():
        numbers = [f"{family}-{i + 1}" for i in range(size)]
        assert [c.id for c in CHECKS if c.family == family] == numbers


def test_an_instance_a_class_and_a_name():
    only = ("LOAD-3", "LOAD-6")
    by_name = check_strategy("entropy", only=only)
    by_class = check_strategy(Good, only=only)
    by_instance = check_strategy(Good(threshold=0.5), only=only)
    assert outcomes(by_name) == {"LOAD-3": "passed", "LOAD-6": "passed"}
    assert outcomes(by_class) == outcomes(by_instance)
    assert outcomes(by_class)["LOAD-6"] == "inapplicable"
    assert by_name.ok


def test_options_reach_the_checks():
    class Sees(Good):
        pass

    seen = []
    check = made(1, lambda subject: seen.append(subject.instance().threshold))
    check_strategy(Sees(threshold=0.25), checks=[check])
    check_strategy("entropy:threshold=0.5", checks=[check])
    assert seen == [0.25, 0.5]


def test_a_failed_contract_gates_what_comes_after():
    results = check_strategy(
        ForgottenHookimpl, only=["LOAD-4", "LOAD-5", "ROUTE", "DOC"]
    )
    found = outcomes(results)
    assert found["LOAD-5"] == "failed"
    assert found["LOAD-4"] == "passed"
    gated = [r for r in results if r.check.family == "ROUTE" and r.id != "ROUTE-9"]
    assert {result.outcome for result in gated} == {"skipped"}
    assert {result.reason for result in gated} == {"fix LOAD-5 first"}


def test_gates_run_though_they_were_not_asked_for():
    (result,) = check_strategy(ForgottenHookimpl, only=["ROUTE-1"])
    assert (result.outcome, result.reason) == ("skipped", "fix LOAD-5 first")


def test_a_failure_shows_everything():
    (result,) = results = check_strategy(Good, checks=[made(1, fails)])
    assert str(result).splitlines() == [
        "MADE-1  the title of 1: failed",
        "  expected  one",
        "  got       another",
        "  input     the smallest input",
        "  see       docs/conformance.md#made-1",
    ]
    assert not results.ok
    assert "MADE-1  failed        the title of 1" in str(results)
    assert repr(results).endswith("Good: 1 failed")


def test_whatever_a_strategy_raises_is_its_failure():
    class Raises(Strategy):
        """Divides by zero."""

        @hookimpl
        def route_token(self, step):
            return 1 // 0

    (result,) = check_strategy(Raises, only=["ROUTE-1"])
    assert result.outcome == "failed"
    assert "ZeroDivisionError" in result.got
    assert "test_examination.py, line" in result.got
    assert "step of 1 rows" in result.example


def test_a_new_check_warns_before_it_fails(monkeypatch):
    monkeypatch.setattr("hybridcore.conformance.check.SUITE_VERSION", "1.3")
    new, old = made(1, fails, since="1.3"), made(2, fails, since="1.2")
    results = check_strategy(Good, checks=[new, old])
    assert outcomes(results) == {"MADE-1": "warned", "MADE-2": "failed"}
    assert "new in suite 1.3" in results[0].reason


def test_the_first_version_fails_at_once():
    assert SUITE_VERSION == "1.0"
    assert not any(check.only_warns for check in CHECKS)


def test_known_failures():
    class Known(Good):
        conformance_xfail = {"MADE-1": "of old", "MADE-2": "no more"}

    checks = [made(1, fails), made(2), made(3)]
    results = check_strategy(Known, checks=checks)
    assert outcomes(results) == {
        "MADE-1": "xfailed",
        "MADE-2": "xpassed",
        "MADE-3": "passed",
    }
    assert not results.ok
    assert check_strategy(Known, checks=checks, only=["MADE-1", "MADE-3"]).ok


@pytest.mark.parametrize("names", [["LAOD-1"], ["LOAD-11"], ["ROUT"]])
def test_unknown_checks_are_refused(names):
    with pytest.raises(ArgumentError, match="no such check"):
        check_strategy(Good, only=names)


def test_a_known_failure_of_no_check_is_refused():
    class Stale(Good):
        conformance_xfail = {"LOAD-99": "never"}

    with pytest.raises(ArgumentError, match="conformance_xfail names 'LOAD-99'"):
        check_strategy(Stale)


@pytest.mark.parametrize("strategy", [3, None, object, int])
def test_what_is_no_strategy(strategy):
    with pytest.raises(ArgumentError, match="expected a strategy's name"):
        check_strategy(strategy)


def test_names_that_lead_nowhere():
    with pytest.raises(StrategyNotFound, match="did you mean 'entropy'"):
        check_strategy("entopy")
    with pytest.raises(ArgumentError, match="expected name:option=value"):
        check_strategy("entropy:threshold=1,x")
    with pytest.raises(ArgumentError, match="expected name:option=value"):
        check_strategy("threshold=1")


class Bare(Strategy):
    """Has no hook, and an option."""

    depth: int = option(1, help="of nothing")


def test_a_strategy_is_judged_by_what_it_is():
    quick = [c.id for c in CHECKS if c.family not in ("EVAL", "PERF")]
    found = outcomes(check_strategy(Bare, only=quick))
    families = {id.partition("-")[0] for id, o in found.items() if o == "passed"}
    assert families == {"LOAD", "DOC"}
    assert "failed" not in found.values()


class Aged(Good):
    """Asks where a row is young, and keeps count in its state."""

    @hookimpl
    def start(self, request):
        return {"steps": 0}

    @hookimpl
    def route_token(self, step):
        """ASK in the first steps of a row."""
        for state in step.states:
            state["steps"] += 1
        young = torch.tensor([state["steps"] < 3 for state in step.states])
        return Route(young.long() * Route.ASK)


def test_a_stateful_router_has_no_law_to_score_by():
    found = outcomes(check_strategy(Aged, only=["ROUTE-4", "SCORE"]))
    assert found.pop("ROUTE-4") == "passed"
    assert set(found.values()) == {"inapplicable"}
