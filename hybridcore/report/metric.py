"""By which metric a task is judged."""

from __future__ import annotations

from ..errors import ReportError
from .notes import Notes
from .results_file import Results


class Metrics:
    """Chooses a metric for each task: the first one, or the one that was asked for.

    :param asked: ``"acc"``, or with its filter ``"exact_match,strict-match"``; None
        asks for none.
    """

    def __init__(self, asked: str | None, notes: Notes) -> None:
        self.notes = notes
        self._asked = asked
        self._met = False
        self._others: dict[str, list[str]] = {}

    def of(self, results: Results, task: str) -> str:
        """Return the metric of a task; "" where a results file has none."""
        known = results.metrics(task)
        for name in known:
            if self._asked in (name, name.partition(",")[0]):
                self._met = True
                return name
        if self._asked is not None:
            self._others[task] = known
        return known[0] if known else ""

    def check(self) -> None:
        """Say what was not found.

        :raises ReportError: no task has the metric that was asked for.
        """
        tables = [f"{task}: {', '.join(known)}" for task, known in self._others.items()]
        if self._asked is not None and not self._met:
            raise ReportError(
                f"no task has a metric {self._asked!r}\n"
                f"expected one of {'; '.join(tables) or 'none: there is no results file'}"
            )
        for task, known in self._others.items():
            self.notes.add(
                f"{task} has no metric {self._asked!r}: "
                f"judged by {known[0] if known else 'none'}"
            )
