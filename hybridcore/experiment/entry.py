"""A finished cell on one task, its measures as statistics of documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .aggregation import statistic_of
from .intervals import Statistic, difference, ratio
from .measured import Measured
from .tasks import TaskFacts


@dataclass(frozen=True)
class Entry:
    """A finished cell (as ``cell.json`` has it) on one task.

    ``value`` and ``share`` are None where they cannot be had from its documents.
    """

    cell: Mapping[str, Any]
    measured: Measured
    value: Statistic | None
    share: Statistic | None

    def value_less(self, other: Entry | None) -> Statistic | None:
        """Return this value less another cell's, paired by document.

        None where one has none, there is no other, or it answered other documents.
        """
        return None if other is None else self._less(other, self.value, other.value)

    def share_less(self, other: Entry | None) -> Statistic | None:
        """Return this LLM share less another cell's; None as in :meth:`value_less`."""
        return None if other is None else self._less(other, self.share, other.share)

    def _less(
        self, other: Entry, mine: Statistic | None, theirs: Statistic | None
    ) -> Statistic | None:
        if mine is None or theirs is None:
            return None
        same = self.measured.documents == other.measured.documents
        return difference(mine, theirs) if same else None


def entry_of(facts: TaskFacts, cell: Mapping[str, Any], one: Measured) -> Entry:
    """Return the entry of a cell that was measured."""
    return Entry(cell, one, _value(facts, one), _share(one))


def _value(facts: TaskFacts, one: Measured) -> Statistic | None:
    """Return the metric as a statistic, if it gives what lm_eval reported."""
    if one.values is None or one.value is None:
        return None
    try:
        statistic = statistic_of(facts.aggregate, one.values)
        again = float(statistic(np.arange(len(one.values))))
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    return statistic if np.isclose(again, one.value, rtol=1e-9, atol=1e-12) else None


def _share(one: Measured) -> Statistic | None:
    if one.from_llm is None or one.tokens is None or not one.tokens.sum():
        return None
    return ratio(one.from_llm, one.tokens)
