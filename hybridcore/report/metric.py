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
        self._of_task: dict[str, str] = {}
        self._others: dict[str, list[str]] = {}

    def of(self, results: Results, task: str) -> str:
        """Return the metric of a task; "" where a results file has none."""
        known = results.metrics(task)
        if self._asked is None:
            usual = self._of_task.get(task)
            return usual if usual in known else next(iter(known), "")
        for name in known:
            if self._asked in (name, name.partition(",")[0]):
                self._met = True
                return name
        self._others[task] = known
        return next(iter(known), "")

    def prefer(self, task: str, metric: str) -> None:
        """Let a task be judged by a metric where none is asked for."""
        self._of_task.setdefault(task, metric)

    def check(self) -> None:
        """Say what was not found.

        :raises ReportError: no task has the metric that was asked for.
        """
        tables = [f"{task}: {', '.join(known)}" for task, known in self._others.items()]
        if self._asked is not None and not self._met:
            raise ReportError(
                f"no task has a metric {self._asked!r}\n"
                f"expected one of {'; '.join(tables) or 'none (there are no results)'}"
            )
        for task, known in self._others.items():
            self.notes.add(
                f"{task} has no metric {self._asked!r}: "
                f"judged by {known[0] if known else 'none'}"
            )
