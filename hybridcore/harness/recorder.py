"""Where the outcome of every request goes: counts, trace, and reports on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..decoding.request import Answer
from ..scoring import Score
from ..tally import Tally
from .ledger import Ledger
from .trace import Trace, answer_line, score_line


def source_of(request: Any) -> tuple[str | None, int | None]:
    """Return the task and the document that an lm_eval request comes from."""
    return getattr(request, "task_name", None), getattr(request, "doc_id", None)


class Recorder:
    """Counts into a ledger, and writes a trace where one is wanted."""

    def __init__(
        self, trace: Trace | None, strategy: str, options: Mapping[str, Any]
    ) -> None:
        self.ledger = Ledger()
        self._trace = trace
        self._head = {"strategy": strategy, "options": dict(options)}

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
        self._trace.write({**self._head, **place, **line})
