"""Which documents the lines of a trace are of.

A trace numbers the documents that were asked, from 0 on. lm_eval's logged samples have
the task's own numbers, which are others where ``--samples`` chose some of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .answer import Answer
from .json_files import read_lines
from .notes import Notes

Answers = Mapping[tuple[int, int], Answer]


def documents_in(path: Path) -> list[int]:
    """Return the documents of logged samples, each once, in the order of the file."""
    found = (line.get("doc_id") for line in read_lines(path, Notes()))
    return list(dict.fromkeys(one for one in found if isinstance(one, int)))


def renumbered(
    answers: Answers, documents: Sequence[int], processes: int = 1
) -> dict[tuple[int, int], Answer] | None:
    """Return a trace's answers by the task's own numbers; None where nobody can say.

    :param answers: by the trace's document and repeat.
    :param documents: those of the logged samples, in the order of the file.
    :param processes: that asked them by turns; lm_eval logs one behind the other.
    """
    count = len(documents)
    turns = min(max(processes, 1), count)
    asked = [n for first in range(turns) for n in range(first, count, turns)]
    own = dict(zip(asked, documents, strict=True))
    if {document for document, _ in answers} <= set(own):
        return {(own[n], repeat): one for (n, repeat), one in answers.items()}
    # lines are missing; where none was chosen, those that are left have their places
    return dict(answers) if list(documents) == asked else None
