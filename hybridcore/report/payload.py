"""Samples as a page carries them: compressed, in pieces that are read when looked at.

Every piece is JSON, deflated and in base64, under a name:

    index-<task>-<cell>           columns over all answers: document, repeat, value, ...
    answers-<task>-<cell>-<n>     answers n * PIECE and on, in the order of the index
    documents-<task>              documents in the order of their pieces
    documents-<task>-<n>          what they ask
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar

from .answer import REPLACED, Answer, Scored, Tokens
from .document import Document
from .pareto import KEPT, cheapest
from .run import Cell, Run, TaskOutcome

PIECE = 200
_DIGITS = 3  # of a signal: what a reader wants, and a page can hold

T = TypeVar("T")


def pieces(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every piece."""
    for number, task in enumerate(run.tasks()):
        documents = run.documents.get(task, {})
        yield f"documents-{number}", packed(sorted(documents))
        ordered = [_document(documents[key]) for key in sorted(documents)]
        for place, part in enumerate(_parts(ordered)):
            yield f"documents-{number}-{place}", packed(part)
        for cell, outcome in run.on(task):
            yield from _of_cell(run.point(task, cell), outcome)


def packed(content: Any) -> str:
    """Return content as base64 of raw deflate of JSON."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    deflate = zlib.compressobj(level=6, wbits=-zlib.MAX_WBITS)
    data = deflate.compress(text.encode("utf-8", "replace")) + deflate.flush()
    return base64.b64encode(data).decode("ascii")


def _of_cell(name: str, outcome: TaskOutcome) -> Iterator[tuple[str, str]]:
    if not outcome.answers:
        return
    places = sorted(outcome.answers)
    answers = [outcome.answers[place] for place in places]
    yield f"index-{name}", packed(_index(places, answers))
    for number, part in enumerate(_parts(answers)):
        texts: dict[str, int] = {}
        said = [_answer(answer, texts) for answer in part]
        content = {"texts": list(texts), "answers": said}
        yield f"answers-{name}-{number}", packed(content)


def _index(places: Sequence[tuple[int, int]], answers: Sequence[Answer]) -> Any:
    signals = [
        s for a in answers if a.tokens for s in a.tokens.signals if s is not None
    ]
    return {
        "document": [document for document, _ in places],
        "repeat": [repeat for _, repeat in places],
        "value": [answer.value for answer in answers],
        "units": [answer.units for answer in answers],
        "llm": [answer.llm_units for answer in answers],
        "replaced": [
            answer.tokens.kinds.count(REPLACED) if answer.tokens else 0
            for answer in answers
        ],
        "signals": [min(signals), max(signals)] if signals else None,
    }


def _document(document: Document) -> Any:
    return {
        "kind": document.kind,
        "prompt": document.prompt,
        "target": document.target,
        "choices": document.choices,
        "gold": document.gold,
    }


def _answer(answer: Answer, texts: dict[str, int]) -> Any:
    said: dict[str, Any] = {"finish": answer.finish, "extracted": answer.extracted}
    if answer.tokens is not None:
        said["tokens"] = _tokens(answer.tokens, texts)
    else:
        said["text"] = answer.text
    if answer.scored:
        said["scored"] = [_scored(scored) for scored in answer.scored]
    return said


def _tokens(tokens: Tokens, texts: dict[str, int]) -> Any:
    return {
        "texts": [texts.setdefault(text, len(texts)) for text in tokens.texts],
        "kinds": tokens.kinds,
        "signals": _signals(tokens.signals),
        "replaced": tokens.replaced,
    }


def _scored(scored: Scored) -> Any:
    return {
        "log_likelihood": scored.log_likelihood,
        "greedy": scored.is_greedy,
        "kinds": scored.kinds,
        "signals": _signals(scored.signals),
    }


def _signals(signals: Iterable[float | None]) -> list[float | None] | None:
    rounded = [None if s is None else float(f"{s:.{_DIGITS}g}") for s in signals]
    return rounded if any(s is not None for s in rounded) else None


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in count(0, PIECE):
        if start >= len(items):
            return
        yield items[start : start + PIECE]


def described(run: Run) -> Any:
    """Return what the page's program must know before it reads any piece."""
    return {
        "piece": PIECE,
        "tasks": run.tasks(),
        "first": [_first(run, task) for task in run.tasks()],
        "judged": [_is_judged(run, task) for task in run.tasks()],
        "cells": [_cell(run, place, cell) for place, cell in enumerate(run.cells)],
    }


def _is_judged(run: Run, task: str) -> bool:
    """Whether the answers to a task are right or wrong, nothing between or beyond."""
    answers = (a for _, outcome in run.on(task) for a in outcome.answers.values())
    values = {answer.value for answer in answers} - {None}
    return bool(values) and values <= {0.0, 1.0}


def _first(run: Run, task: str) -> int | None:
    """Return the place of the cell whose samples are shown first."""
    shown = [cell for cell, outcome in run.on(task) if outcome.answers]
    found = cheapest(run, task, KEPT)
    first = [cell for cell in shown if found is not None and cell is found[0]]
    first += [cell for cell in shown if cell.role == "candidate"] + shown
    return run.place(first[0]) if first else None


def _cell(run: Run, place: int, cell: Cell) -> Any:
    return {
        "place": place,
        "label": cell.label,
        "tasks": [n for n, task in enumerate(run.tasks()) if task in cell.tasks],
        "answered": [
            n
            for n, task in enumerate(run.tasks())
            if task in cell.tasks and cell.tasks[task].answers
        ],
    }
