"""Where the outcome of every request goes: counts, trace, and reports on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from ..decoding.request import Answer
from ..scoring import Score
from ..tally import Tally
from .ledger import Ledger
from .trace import Trace, answer_line, score_line, write


def source_of(request: Any) -> tuple[str | None, int | None]:
    """Return the task and the document that an lm_eval request comes from."""
    return getattr(request, "task_name", None), getattr(request, "doc_id", None)


class Recorder:
    """Counts one evaluation into a ledger, and writes its trace where one is wanted.

    :param continues: the evaluation goes on where an earlier one was cut off.

    Attributes:
        readers: for each model, how many passages were scored as a tree, and how many
            in batches.
    """

    def __init__(
        self,
        trace: Trace | None,
        strategy: str,
        options: Mapping[str, Any],
        continues: bool = False,
    ) -> None:
        self.ledger = Ledger()
        self.readers: dict[str, Counter[str]] = {"slm": Counter(), "llm": Counter()}
        self._trace = trace
        self._file: TextIO | None = None
        self._continues = continues
        self._head = {"strategy": strategy, "options": dict(options)}

    def close(self) -> None:
        """Close the trace; nothing is recorded any more."""
        if self._file is not None:
            self._file.close()

    def answer(self, request: Any, repeat: int, answer: Answer, text: str) -> None:
        """Record a generated answer; its tally is complete."""
        task, _ = source_of(request)
        self.ledger.add(task, answer.tally)
        if self._trace is not None:
            self._write(request, repeat, answer_line(answer, text))

    def scores(self, request: Any, scores: Sequence[Score], empty: bool) -> None:
        """Record a scored request, in as many parts as it was scored in."""
        tally = Tally.total(score.tally for score in scores)
        # the windows of one text are one request
        tally.requests = 1
        tally.llm_requests_skipped = int(
            all(score.tally.llm_requests_skipped for score in scores) and bool(scores)
        )
        tally.empty_contexts += empty
        task, _ = source_of(request)
        self.ledger.add(task, tally)
        if self._trace is not None:
            self._write(request, 0, score_line(scores, tally))

    def _write(self, request: Any, repeat: int, line: dict[str, Any]) -> None:
        task, document = source_of(request)
        place = {"task": task, "doc_id": document, "repeat": repeat}
        assert self._trace is not None
        if self._file is None:
            self._file = self._trace.opened(self._continues)
        write(self._file, {**self._head, **place, **line})
