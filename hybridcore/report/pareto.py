"""Which cells no other one beats."""

from __future__ import annotations

from .run import Cell, Run, TaskOutcome

KEPT = 0.98  # of the LLM's value, where a page names the cheapest cell
# bounds on what a strategy could do are no choice that a reader has
_BOUNDS = ("random", "oracle")


def front(run: Run, task: str) -> list[Cell]:
    """Return the cells of the Pareto front, from the cheapest to the best.

    A cell is left out where another has at most its LLM share and is at least as good,
    and better in one of the two.
    """
    sign = 1.0 if run.higher_is_better.get(task, True) else -1.0
    points = [
        (outcome.share.value, sign * outcome.value.value, cell)
        for cell, outcome in run.on(task)
        if outcome.share and outcome.value and cell.role not in _BOUNDS
    ]
    kept: list[Cell] = []
    best, cost = float("-inf"), -1.0
    for share, value, cell in sorted(points, key=lambda p: (p[0], -p[1])):
        if value > best or (value == best and share == cost):
            kept.append(cell)
            best, cost = value, share
    return kept


def cheapest(run: Run, task: str, kept: float) -> tuple[Cell, TaskOutcome] | None:
    """Return the candidate of least LLM share that keeps a part of the LLM's value.

    None where the LLM alone was not run, no candidate keeps so much of it, or less of
    the metric is better.
    """
    alone = [o for c, o in run.on(task) if c.role == "llm-only" and o.value]
    if not alone or not run.higher_is_better.get(task, True):
        return None
    wanted = kept * _value(alone[0])
    good = [
        (cell, outcome)
        for cell, outcome in run.on(task)
        if cell.role == "candidate" and outcome.share and _value(outcome) >= wanted
    ]
    return min(good, key=lambda pair: _share(pair[1]), default=None)


def _value(outcome: TaskOutcome) -> float:
    return outcome.value.value if outcome.value else float("-inf")


def _share(outcome: TaskOutcome) -> float:
    return outcome.share.value if outcome.share else float("inf")
