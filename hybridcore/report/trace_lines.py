"""Puts the lines of a trace where they belong: a task's document and repeat."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set
from typing import Any

from ..tally import Tally
from .answer import Answer, scored_of, tokens_of
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
    if isinstance(tally := line.get("tally"), Mapping):
        answer.count(tally)
        outcome.traced.add(_tally(tally))
    if line.get("kind") == "scoring":
        answer.scored.append(scored_of(line))
    else:
        emitted = [t for t in line.get("tokens") or [] if isinstance(t, Mapping)]
        answer.tokens = tokens_of(emitted)
        answer.text = str(line.get("text", ""))
        answer.finish = str(line.get("finish", ""))
    return True


_COUNTS = {field.name: field.type for field in dataclasses.fields(Tally)}


def _tally(said: Mapping[str, Any]) -> Tally:
    """Read the counts of one request; what a later version counts is passed over."""
    kinds = {"int": int, "list[int]": list}
    known = {
        name: said[name]
        for name, kind in _COUNTS.items()
        if isinstance(said.get(name), kinds[str(kind)])
    }
    return Tally(**known)
