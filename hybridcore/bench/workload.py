"""The requests that both sides answer: lm_eval's own, made from its tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.samplers import SAMPLER_REGISTRY, get_sampler
from lm_eval.tasks import TaskManager

from ..demo import tasks_path
from ..errors import ArgumentError, did_you_mean

SCORING = ("loglikelihood", "loglikelihood_rolling")
GENERATION = ("generate_until",)
_SEED = 1234  # lm_eval's own default for few-shot examples


@dataclass(frozen=True)
class Workload:
    """Requests of one kind, in lm_eval's order.

    ``kind`` is the method of lm_eval's model interface that answers them.
    """

    name: str
    kind: str
    requests: Sequence[Instance]

    def __len__(self) -> int:
        return len(self.requests)

    def sample(self, size: int) -> Workload:
        """Return about ``size`` requests, whole documents, evenly spread."""
        documents = list(_documents(self.requests))
        wanted = max(1, min(len(documents), size * len(documents) // len(self) or 1))
        chosen = (documents[i * len(documents) // wanted] for i in range(wanted))
        return Workload(self.name, self.kind, [r for d in chosen for r in d])


@dataclass(frozen=True)
class Selection:
    """Which documents of which tasks, and how they are asked.

    ``sampler`` chooses few-shot examples (lm_eval's ``fewshot_config``), ``limit``
    is documents of each task, ``max_gen_toks`` overrides that of the tasks.
    """

    tasks: Sequence[str]
    include_path: str | None = None
    limit: int | None = None
    num_fewshot: int | None = None
    sampler: str | None = None
    max_gen_toks: int | None = None


def workloads(selection: Selection, kinds: Sequence[str]) -> list[Workload]:
    """Return one workload for each name of ``selection.tasks``, groups whole.

    :param kinds: the kinds of requests that the benchmark measures.
    :raises ArgumentError: an unknown task or sampler, or a task of another kind.
    """
    paths = [str(tasks_path())]
    if selection.include_path is not None:
        paths.append(selection.include_path)
    manager = _manager(*paths)
    known = set(manager.all_tasks)
    for name in selection.tasks:
        if name not in known:
            raise ArgumentError(
                f"no task named {name!r}{did_you_mean(name, known)}\n"
                "give the folder of its YAML file with --include-path"
            )
    return [_workload(manager, name, selection, kinds) for name in selection.tasks]


@cache
def _manager(*paths: str) -> TaskManager:
    # it reads some thousand files of lm_eval's own tasks
    return TaskManager(include_path=list(paths))


def _workload(
    manager: TaskManager, name: str, selection: Selection, kinds: Sequence[str]
) -> Workload:
    requests: list[Instance] = []
    for task in manager.load([name])["tasks"].values():
        _configure(task, selection)
        task.build_all_requests(limit=selection.limit, rank=0, world_size=1)
        requests += [r for r in task.instances for _ in range(r.repeats or 1)]
    found = sorted({request.request_type for request in requests})
    if len(found) != 1 or found[0] not in kinds:
        raise ArgumentError(
            f"task {name!r} asks for {' and '.join(found) or 'nothing'}: expected "
            f"{' or '.join(kinds)}\nname another task with --tasks"
        )
    return Workload(name, found[0], requests)


def _configure(task: Any, selection: Selection) -> None:
    """Set few-shot examples as lm_eval's evaluator does, and what is overridden."""
    # a task that says num_fewshot: 0 is never given examples
    if selection.num_fewshot is not None and task.get_config("num_fewshot") != 0:
        task.set_config(key="num_fewshot", value=selection.num_fewshot)
    if task.get_config("num_fewshot") is None:
        task.set_config(key="num_fewshot", value=0)
    if selection.sampler is not None and hasattr(task, "sampler"):
        if selection.sampler not in SAMPLER_REGISTRY:
            raise ArgumentError(
                f"sampler={selection.sampler!r}: expected one of "
                f"{', '.join(sorted(SAMPLER_REGISTRY))}"
            )
        task.sampler = get_sampler(selection.sampler)(list(task.fewshot_docs()))
    task.set_fewshot_seed(seed=_SEED)
    if selection.max_gen_toks is not None and task.OUTPUT_TYPE in GENERATION:
        limit = {"max_gen_toks": selection.max_gen_toks}
        task.set_config(key="generation_kwargs", value=limit, update=True)


def _documents(requests: Sequence[Instance]) -> Iterator[list[Instance]]:
    document: list[Instance] = []
    for request in requests:
        if document and _origin(document[-1]) != _origin(request):
            yield document
            document = []
        document.append(request)
    if document:
        yield document


def _origin(request: Instance) -> tuple[str | None, int | None]:
    return request.task_name, request.doc_id
