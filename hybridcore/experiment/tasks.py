"""The tasks of an experiment, found before any model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager

from ..demo import tasks_path
from ..errors import ArgumentError, did_you_mean


def task_manager(names: Sequence[str], include_path: str | None = None) -> TaskManager:
    """Return what finds the named tasks: those of a folder, the demo's, lm_eval's.

    lm_eval's own are indexed, which takes a while, only where one is needed.

    :raises ArgumentError: there is no such folder, or no such task.
    """
    if include_path is not None and not Path(include_path).is_dir():
        raise ArgumentError(f"include_path={include_path!r}: expected a folder")
    folders: list[Any] = [str(tasks_path())]
    folders += [] if include_path is None else [include_path]
    manager = TaskManager(include_path=folders, include_defaults=False)
    names = [name for name in names if not Path(name).is_file()]
    if not set(names) <= set(manager.all_tasks):
        manager = TaskManager(include_path=folders)
    for name in names:
        if not manager.match_tasks([name]):
            raise ArgumentError(
                f"no task named {name!r}{did_you_mean(name, manager.all_tasks)}\n"
                "lm-eval ls tasks lists lm_eval's; --include_path adds a folder"
            )
    return manager


@dataclass(frozen=True)
class TaskFacts:
    """What an experiment has to know of one task.

    Attributes:
        kind: lm_eval's output type, such as ``"generate_until"``.
        metric, filter: those that the task is judged by.
        aggregate: from the metric's values of all documents to its value.
    """

    name: str
    kind: str
    metric: str
    aggregate: Callable[[list[Any]], float]
    higher_is_better: bool
    filter: str = "none"

    @property
    def scores(self) -> bool:
        """Whether the task asks for likelihoods, not for answers."""
        return self.kind != "generate_until"


def task_facts(
    manager: TaskManager, names: Sequence[str], metric: Mapping[str, str]
) -> dict[str, TaskFacts]:
    """Load the named tasks, groups resolved, and return what is to be known.

    :param metric: chosen metrics by task, each a name or ``name,filter``; under ``""``
        that of all others.
    :raises ArgumentError: a task has no documents, or not the metric or the filter.
    """
    found = {}
    for name, task in _loaded(manager, names).items():
        metrics, filters = list(task.aggregation()), _filters(task)
        asked = metric.get(name, metric.get("", metrics[0]))
        chosen, _, judged_by = asked.partition(",")
        _require(name, "metric", chosen, metrics)
        if judged_by:
            _require(name, "filter", judged_by, filters)
        found[name] = TaskFacts(
            name=name,
            kind=task.OUTPUT_TYPE,
            metric=chosen,
            aggregate=task.aggregation()[chosen],
            higher_is_better=bool(task.higher_is_better().get(chosen, True)),
            filter=judged_by or next(iter(filters), "none"),
        )
    for name in set(metric) - {""} - set(found):
        raise ArgumentError(
            f"metric of {name!r}: no such task here{did_you_mean(name, found)}"
        )
    return found


def _filters(task: Any) -> list[str]:
    """Return the names of a task's filters, in the order of its samples."""
    return [str(one.name) for one in task._filters]


def _require(task: str, what: str, chosen: str, known: Sequence[str]) -> None:
    if chosen not in known:
        raise ArgumentError(
            f"task {task!r} has no {what} {chosen!r}"
            f"{did_you_mean(chosen, known)}\nits {what}s: {', '.join(known)}"
        )


def _loaded(manager: TaskManager, names: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        try:
            found |= manager.load([name])["tasks"]
        except IndexError:  # lm_eval looks at the first document
            raise _without_documents(name) from None
        except Exception as error:  # whatever a task's own code or data raise
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise ArgumentError(
                f"task {name!r} cannot be loaded: {reason[0]}\n"
                f"lm-eval validate --tasks {name} tells more"
            ) from error
    for name, task in found.items():
        if not len(task.eval_docs):
            raise _without_documents(name)
    return found


def _without_documents(name: str) -> ArgumentError:
    return ArgumentError(
        f"task {name!r} has no documents: expected at least one\nlook at its data"
    )
