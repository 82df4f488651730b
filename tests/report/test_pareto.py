"""The Pareto front and the cheapest cell, beside their definitions."""

import random

import pytest

from hybridcore.report.estimate import Estimate
from hybridcore.report.pareto import cheapest, front
from hybridcore.report.run import Cell, Run, TaskOutcome


def run_of(points, higher=True):
    run = Run("")
    for number, (share, value, role) in enumerate(points):
        cell = Cell(str(number), "", "any", role=role)
        cell.tasks["t"] = TaskOutcome(value=Estimate(value), share=Estimate(share))
        run.cells.append(cell)
    if not higher:
        run.higher_is_better["t"] = False
    return run


def dominated(one, others, sign):
    return any(
        o[0] <= one[0] and sign * o[1] >= sign * one[1] and o[:2] != one[:2]
        for o in others
    )


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_front_is_what_nothing_dominates(seed, higher):
    numbers = random.Random(seed)
    points = [
        (numbers.randrange(6) / 5, numbers.randrange(6) / 5, "candidate")
        for _ in range(12)
    ]
    sign = 1 if higher else -1
    expected = {i for i, p in enumerate(points) if not dominated(p, points, sign)}
    kept = front(run_of(points, higher), "t")
    assert {int(cell.id) for cell in kept} == expected
    shares = [points[int(cell.id)][0] for cell in kept]
    assert shares == sorted(shares)


def test_bounds_are_not_on_the_front():
    points = [(0.1, 0.9, "oracle"), (0.2, 0.8, "random"), (0.3, 0.7, "candidate")]
    assert [cell.id for cell in front(run_of(points), "t")] == ["2"]


LLM = (1.0, 0.90, "llm-only")


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([LLM, (0.3, 0.90, "candidate"), (0.2, 0.89, "candidate")], "2"),
        ([LLM, (0.3, 0.90, "candidate"), (0.2, 0.87, "candidate")], "1"),
        ([LLM, (0.2, 0.90, "oracle"), (0.3, 0.88, "candidate")], None),
        ([(0.2, 0.9, "candidate")], None),
    ],
)
def test_cheapest_that_keeps_nearly_everything(points, expected):
    found = cheapest(run_of(points), "t", 0.98)
    assert (found and found[0].id) == expected
