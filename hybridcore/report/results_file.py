"""What a report reads from lm_eval's results file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ReportError
from .estimate import Estimate
from .json_files import read_object
from .json_values import number, table, whole

_NORMAL_95 = 1.96


@dataclass(frozen=True)
class Results:
    """One results file.

    Attributes:
        path: where it was read.
        tasks: for each task (groups left out), its metrics by name with filter.
        hybrid: set-up and counts of HybridLM; empty where another model ran.
        content: all that the file has.
    """

    path: Path
    tasks: Mapping[str, Mapping[str, Any]]
    hybrid: Mapping[str, Any]
    content: Mapping[str, Any]

    def metrics(self, task: str) -> list[str]:
        """Return the metrics of a task; the first is the one it is judged by."""
        return [
            name
            for name, value in self.tasks.get(task, {}).items()
            if "," in name and "_stderr," not in name and number(value) is not None
        ]

    def value(self, task: str, metric: str) -> Estimate | None:
        """Return a metric with lm_eval's standard error as interval."""
        found = self.tasks.get(task, {})
        value = number(found.get(metric))
        if value is None:
            return None
        name, _, rest = metric.partition(",")
        error = number(found.get(f"{name}_stderr,{rest}"))
        count = self.documents(task)
        if error is None or count < 2:
            return Estimate(value, documents=count)
        reach = _NORMAL_95 * error
        return Estimate(value, value - reach, value + reach, count)

    def documents(self, task: str) -> int:
        """Return how many documents a task was judged on."""
        count = table(table(self.content.get("n-samples")).get(task)).get("effective")
        return whole(count)

    def higher_is_better(self, task: str, metric: str) -> bool:
        """Tell whether more of a metric is better, as lm_eval says."""
        said = table(table(self.content.get("higher_is_better")).get(task))
        return said.get(metric.partition(",")[0]) is not False

    def counts(self, task: str) -> Mapping[str, Any]:
        """Return what HybridLM counted on a task."""
        return table(table(self.hybrid.get("tasks")).get(task))


def read_results(path: Path) -> Results:
    """Read a results file.

    :raises ReportError: it is cut off, or not one of lm_eval's.
    """
    content = read_object(path)
    if not isinstance(content.get("results"), dict):
        raise ReportError(
            f"{str(path)!r} is no results file of lm_eval: expected an object "
            "'results' in it"
        )
    judged = content["results"]
    leaves = [task for task in table(content.get("configs")) if task in judged]
    return Results(
        path=path,
        tasks={task: table(judged[task]) for task in leaves or judged},
        hybrid=table(table(content.get("config")).get("hybrid")),
        content=content,
    )
