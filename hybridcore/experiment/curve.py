"""Cells that differ in one threshold, as a curve of recovery against LLM share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .choice import Choice
from .entry import Entry
from .intervals import Indices, Statistic, kept
from .recovery import Floats, apgr, cpt, pinned
from .summary import TaskSummary

LEVELS = (0.2, 0.5, 0.8)  # of the gap, as RouteLLM's
Curve = dict[str, Any]


@dataclass(frozen=True)
class _Point:
    entry: Entry
    share: Statistic
    recovered: Statistic


def axes(choices: Sequence[Choice]) -> dict[str, str]:
    """Return for each varied strategy the option that its curves run along.

    Of several it is the one with the most values; each setting of the others has a
    curve of its own.
    """
    return {
        choice.name: max(choice.grid, key=lambda name: len(choice.grid[name]))
        for choice in choices
        if choice.grid
    } | {"random": "fraction"}


def curves(summary: TaskSummary, axis: Mapping[str, str]) -> list[Curve]:
    """Return a curve for each family of two points or more.

    Its ends are the two models alone; without a gap between these there is none.
    """
    families: dict[tuple[str, str], list[_Point]] = {}
    for entry in summary.entries:
        share, recovered = entry.share, summary.recovered(entry)
        strategy = entry.cell["strategy"]
        if strategy in axis and share and recovered:
            family = strategy, _others(entry.cell, axis[strategy])
            families.setdefault(family, []).append(_Point(entry, share, recovered))
    counts = Counter(strategy for strategy, _ in families)
    return [
        _curve(summary, strategy + f" {others}" * (counts[strategy] > 1), points)
        for (strategy, others), points in families.items()
        if len(points) > 1
    ]


def _others(cell: Mapping[str, Any], axis: str) -> str:
    options = cell["options"].items()
    return " ".join(f"{name}={value}" for name, value in options if name != axis)


def _curve(summary: TaskSummary, name: str, points: Sequence[_Point]) -> Curve:
    documents = len(points[0].entry.measured.documents)
    resampling = summary.resampling(documents)

    def ends_and_points(indices: Indices) -> Floats:
        shares = np.stack([point.share(indices) for point in points])
        recovered = np.stack([point.recovered(indices) for point in points])
        return np.stack(pinned(shares, recovered))

    curve = kept(ends_and_points)  # for all measures

    def estimated(measure: Callable[[Floats, Floats], Floats]) -> dict[str, Any]:
        def statistic(indices: Indices) -> Floats:
            return measure(*curve(indices))

        found = resampling.interval(statistic)
        value = float(statistic(np.arange(documents)))
        return {"value": value, "low": found.low, "high": found.high}

    return {
        "task": summary.facts.name,
        "family": name,
        "cells": [point.entry.cell["id"] for point in points],
        "apgr": estimated(apgr),
        "cpt": {str(level): estimated(partial(cpt, level=level)) for level in LEVELS},
    }
