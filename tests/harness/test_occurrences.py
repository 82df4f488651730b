"""Repeats and lm_eval's padding among the requests of a call."""

from __future__ import annotations

from lm_eval.api.instance import Instance

from hybridcore.harness.occurrences import (
    originals,
    repeat_indices,
    without_padding,
)


def request(repeats: int = 1) -> Instance:
    return Instance("generate_until", {}, ("same", {}), 0, ("t", 0, repeats))


def test_equal_requests_are_not_padding() -> None:
    assert originals([request(), request()]) == [0, 1]


def test_the_evaluators_copies_are_padding() -> None:
    first, last = request(2), request(2)
    # as lm_eval's evaluator pads by two requests of two repeats
    calls = [first, first, last, last, last, last, last, last]
    assert originals(calls) == [0, 1, 2, 3, 2, 3, 2, 3]


def test_padding_is_answered_but_not_run() -> None:
    first, last = request(), request()
    asked: list[Instance] = []

    def run(requests: list[Instance]) -> list[int]:
        asked.extend(requests)
        return list(range(len(requests)))

    assert without_padding([first, last, last, last], run) == [0, 1, 1, 1]
    assert asked == [first, last]


def test_repeats_count_equal_names() -> None:
    assert repeat_indices(["a", "b", "a", "a"]) == [0, 0, 1, 2]
