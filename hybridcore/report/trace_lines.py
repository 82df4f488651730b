"""Puts the lines of a trace where they belong: a task's document and repeat."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set
from typing import Any

from ..tally import Tally
from .answer import OWN, Answer, scored_of, tokens_of
from .json_values import items, table, whole
from .run import Cell, TaskOutcome

# task, document, repeat
Places = Set[tuple[str, int, int]]


def add_trace_line(cell: Cell, line: Mapping[str, Any], known: Places) -> bool:
    """Read one line into a cell; False where it does not say whose it is.

    :param known: what a newer trace says already.
    """
    task, document, repeat = line.get("task"), line.get("doc_id"), line.get("repeat")
    if not isinstance(task, str) or not isinstance(document, int):
        return False
    place = (document, repeat if isinstance(repeat, int) else 0)
    if (task, *place) in known:
        return True
    outcome = cell.tasks.setdefault(task, TaskOutcome())
    answer = outcome.answers.setdefault(place, Answer())
    tally = table(line.get("tally"))
    answer.count(tally)
    outcome.traced.add(_tally(tally))
    if line.get("kind") == "scoring":
        answer.scored.append(scored_of(line))
    else:
        answer.tokens = tokens_of(line)
        answer.text = str(line.get("text", ""))
        answer.finish = str(line.get("finish", ""))
        if cell.role == "oracle":
            answer.leave_out(answer.tokens.kinds.count(OWN))
    return True


_HISTOGRAM = "acceptance_histogram"
_COUNTS = {field.name for field in dataclasses.fields(Tally)} - {_HISTOGRAM}


def _tally(said: Mapping[str, Any]) -> Tally:
    """Read the counts of one request; what a later version counts is passed over."""
    histogram = map(whole, items(said.get(_HISTOGRAM)))
    counts = {name: whole(said.get(name)) for name in _COUNTS}
    return Tally(**counts, acceptance_histogram=list(histogram))
