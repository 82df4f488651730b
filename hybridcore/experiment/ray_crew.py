"""Workers of a Ray cluster: who is coming up, who is free, who is gone.

Nothing waits for a worker that is not there. A job goes to workers that have come up;
one that dies is replaced, and its job given to another; where nobody comes up, the
jobs that are left fail and say why.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

PATIENCE = 600.0  # seconds, for a worker to come up while none is at work
_LIVES = 2  # workers that one job may take with it


@dataclass(frozen=True)
class Job:
    """A method of a worker, to be called with these arguments."""

    name: str
    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Done:
    """What a job came to: its value, or the exception that it failed with."""

    value: Any = None
    error: Exception | None = None


class Crew:
    """A number of workers.

    :param ray: the module.
    :param start: starts a worker; it need not have come up when this returns.
    """

    def __init__(self, ray: Any, start: Callable[[], Any], size: int) -> None:
        self._ray = ray
        self._start = start
        self._coming: dict[Any, Any] = {}
        self._free: list[Any] = []
        self._at_work: dict[Any, tuple[Any, Job]] = {}
        self._missing: Exception = TimeoutError("no worker was started")
        for _ in range(size):
            self._enlist()

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Done]]:
        """Run jobs on whatever worker is free; yield each when it is done."""
        left, deaths = deque(jobs), Counter[str]()
        while left or self._at_work:
            while left and self._free:
                self._give(self._free.pop(), left.popleft())
            if not self._at_work and not self._coming:
                yield from ((job, Done(error=self._missing)) for job in left)
                return
            call = self._next()
            if call in self._at_work:
                _, job = self._at_work[call]
                done = self._finished(call)
                deaths[job.name] += done is None
                if done is None and deaths[job.name] < _LIVES:
                    left.append(job)
                else:
                    yield job, done or Done(error=self._missing)

    def dismiss(self) -> None:
        """End all workers, so that what they hold is free for others."""
        at_work = [worker for worker, _ in self._at_work.values()]
        for worker in [*self._coming.values(), *self._free, *at_work]:
            self._ray.kill(worker)
        self._coming, self._free, self._at_work = {}, [], {}

    def _enlist(self) -> None:
        worker = self._start()
        self._coming[worker.__ray_ready__.remote()] = worker

    def _give(self, worker: Any, job: Job) -> None:
        call = getattr(worker, job.method).remote(*job.arguments)
        self._at_work[call] = worker, job

    def _next(self) -> Any:
        """Return the next call that ends; None where a worker came up, or none did."""
        calls = [*self._at_work, *self._coming]
        patience = None if self._at_work else PATIENCE
        ready, _ = self._ray.wait(calls, num_returns=1, timeout=patience)
        if not ready:
            self._give_up()
        elif ready[0] in self._coming:
            self._came(ready[0])
        else:
            return ready[0]
        return None

    def _came(self, call: Any) -> None:
        worker = self._coming.pop(call)
        try:
            self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            self._missing = error
        else:
            self._free.append(worker)

    def _give_up(self) -> None:
        self._missing = TimeoutError(
            f"no worker came up within {PATIENCE:g} s: expected room for one\n"
            "see what the cluster is busy with: ray status"
        )
        for worker in self._coming.values():
            self._ray.kill(worker)
        self._coming = {}

    def _finished(self, call: Any) -> Done | None:
        """Return what a job came to, None where its worker is gone."""
        worker, _ = self._at_work.pop(call)
        try:
            done = Done(self._ray.get(call))
        except self._ray.exceptions.RayTaskError as error:
            done = Done(error=error.as_instanceof_cause())
        except self._ray.exceptions.RayError as error:
            self._missing = error
            self._ray.kill(worker)
            self._enlist()
            return None
        self._free.append(worker)
        return done
