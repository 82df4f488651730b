"""A run as a report sees it, wherever its files came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..tally import Tally
from .answer import Answer
from .document import Document
from .estimate import Estimate


@dataclass
class TaskOutcome:
    """What one cell did on one task.

    Attributes:
        metric: as lm_eval names it, with its filter: ``"exact_match,answer"``; ""
            where no results file says.
        value: of the metric; ``difference`` to the LLM alone; ``pgr``, the part of the
            gap between the models that is recovered.
        share: of the tokens emitted or scored, those by the LLM.
        counts: of the task, as in ``config.hybrid.tasks`` of a results file.
        traced: sum of what a trace counted.
        answers: by document and repeat.
    """

    metric: str = ""
    value: Estimate | None = None
    difference: Estimate | None = None
    pgr: Estimate | None = None
    share: Estimate | None = None
    counts: Mapping[str, Any] = field(default_factory=dict)
    traced: Tally = field(default_factory=Tally)
    answers: dict[tuple[int, int], Answer] = field(default_factory=dict)

    @property
    def documents(self) -> int:
        """How many documents were answered, or were counted in a results file."""
        measured = 0 if self.value is None else self.value.documents
        return measured or len({document for document, _ in self.answers})


@dataclass
class Cell:
    """One strategy with one set of options.

    Attributes:
        id: differs from that of every other cell.
        role: ``"candidate"``, or ``"slm-only"``, ``"llm-only"``, ``"random"``,
            ``"oracle"``.
        error: why it failed; None where it did not.
        info: set-up and counts, as in ``config.hybrid`` of a results file.
        commands: of lm_eval, that give its results again.
    """

    id: str
    label: str
    strategy: str
    options: Mapping[str, Any] = field(default_factory=dict)
    role: str = "candidate"
    error: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    tasks: dict[str, TaskOutcome] = field(default_factory=dict)

    def places(self) -> set[tuple[str, int, int]]:
        """Return task, document and repeat of every answer."""
        outcomes = self.tasks.items()
        return {(task, *place) for task, one in outcomes for place in one.answers}


@dataclass(frozen=True)
class Curve:
    """Cells along one option: the area under recovery, and where it is reached.

    Attributes:
        apgr: average gap recovered over all LLM shares.
        cpt: by part of the gap, the LLM share at which it is recovered.
    """

    family: str
    apgr: Estimate | None
    cpt: Mapping[str, Estimate | None]


@dataclass
class Run:
    """Cells, what they were asked, and how it was all made.

    Attributes:
        facts: what the page lists under provenance, in its order.
        command: as it was typed; "" where no file says.
        order: tasks that come first.
        higher_is_better: by task; True where it is not there.
        documents: by task and document.
        curves: of recovery against LLM share, by task.
        files: texts that the page shows as they are, by name.
    """

    title: str
    command: str = ""
    order: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    higher_is_better: dict[str, bool] = field(default_factory=dict)
    documents: dict[str, dict[int, Document]] = field(default_factory=dict)
    curves: dict[str, list[Curve]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def tasks(self) -> list[str]:
        """Return the tasks of all cells: in the run's order, then as they appear."""
        known = dict.fromkeys(t for cell in self.cells for t in cell.tasks)
        first = [task for task in self.order if task in known]
        return list(dict.fromkeys([*first, *known]))

    def on(self, task: str) -> list[tuple[Cell, TaskOutcome]]:
        """Return the cells that have an outcome on a task."""
        return [(cell, cell.tasks[task]) for cell in self.cells if task in cell.tasks]

    def point(self, task: str, cell: Cell) -> str:
        """Return what a cell's point and row are found by: positions, no names."""
        return f"{self.tasks().index(task)}-{self.place(cell)}"

    def place(self, cell: Cell) -> int:
        """Return where a cell stands among all of them."""
        return [one.id for one in self.cells].index(cell.id)
