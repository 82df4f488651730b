"""The documents of a trace, beside the numbers that lm_eval logs."""

from itertools import chain, islice

import pytest

from hybridcore.report.asked_documents import renumbered


def logged(chosen, processes):
    """Trace number and logged number of each document, as lm_eval 0.4.13 has them."""
    asked = list(enumerate(chosen))
    turns = (islice(asked, rank, None, processes) for rank in range(processes))
    return list(chain.from_iterable(turns))


@pytest.mark.parametrize("processes", [1, 2, 3, 9])
@pytest.mark.parametrize("chosen", [[0, 1, 2, 3, 4], [2, 5, 6, 11, 30], [7]])
def test_lines_of_a_trace_go_to_the_documents_asked(chosen, processes):
    pairs = logged(chosen, processes)
    answers = {(n, repeat): f"{own} {repeat}" for n, own in pairs for repeat in (0, 1)}
    found = renumbered(answers, [own for _, own in pairs], processes)
    assert found == {(own, r): f"{own} {r}" for own in chosen for r in (0, 1)}


def test_a_trace_may_lack_what_was_answered_from_a_cache():
    assert renumbered({(1, 0): "b"}, [3, 5, 8]) == {(5, 0): "b"}


def test_lines_cut_off_leave_the_rest_in_their_places():
    answers = {(n, 0): n for n in range(4)}
    assert renumbered(answers, [0, 1, 2]) == answers


@pytest.mark.parametrize("processes", [0, -1, 10**18])
def test_odd_numbers_of_processes(processes):
    assert renumbered({(0, 0): "a"}, [4, 9], processes) == {(4, 0): "a"}


def test_where_samples_are_missing_nobody_can_say():
    answers = {(n, 0): n for n in range(3)}
    assert renumbered(answers, [1, 2]) is None
    assert renumbered(answers, [0, 2]) is None
