"""What is seen while an experiment runs: cells, requests, rows, the LLM's share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lm_eval.api.model import CacheHook
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_KINDS = ("generate_until", "loglikelihood", "loglikelihood_rolling")


class ExperimentProgress:
    """Two bars on the terminal; nothing where standard error is none.

    Use it as a context manager.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._cells = self._bars.add_task("cells", total=0, note="")
        self._inner = self._bars.add_task("", total=None, note="", visible=False)

    def __enter__(self) -> ExperimentProgress:
        self._bars.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bars.stop()

    def more_cells(self, count: int) -> None:
        """Say how many cells are still to come, beyond those said before."""
        total = self._bars.tasks[0].total or 0
        self._bars.update(self._cells, total=total + count)

    def cell_done(self) -> None:
        """Say that one more cell is finished."""
        self._bars.advance(self._cells)
        self._bars.update(self._inner, visible=False)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(line, highlight=False, markup=False)

    def watch(self, lm: Any, label: str) -> None:
        """Show the requests of ``lm``, a HybridLM, as they are answered."""
        for kind in _KINDS:
            setattr(lm, kind, partial(self._asked, getattr(lm, kind), lm, label))
        lm.cache_hook = _Finished(partial(self._answered, lm))

    def begin(self, label: str, total: int) -> None:
        """Say what is done now, and how many of it: requests, rows of a summary."""
        self._bars.reset(
            self._inner, total=total, description=label, visible=True, note=""
        )

    def advance(self) -> None:
        """Say that one more of them is done."""
        self._bars.advance(self._inner)

    def _asked(
        self, run: Callable[..., Any], lm: Any, label: str, requests: Any, **more: Any
    ) -> Any:
        self.begin(label, len(requests))
        return run(requests, **more)

    def _answered(self, lm: Any) -> None:
        self.advance()
        self._bars.update(self._inner, note=self._note(lm))

    def _note(self, lm: Any) -> str:
        tallies = lm.recorder.ledger.tasks.values()
        total = sum(t.tokens_out + t.scored_tokens for t in tallies)
        llm = sum(t.tokens_from_llm + t.scored_from_llm for t in tallies)
        said = [f"{lm.in_flight} rows in flight"] if lm.in_flight else []
        if total:
            said.append(f"LLM {100 * llm / total:.0f} %")
        return ", ".join(said)


class _Finished(CacheHook):
    """Is told of every answered request, as lm_eval's response cache is."""

    def __init__(self, told: Callable[[], None]) -> None:
        super().__init__(None)
        self._told = told

    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        """Count one answer."""
        self._told()
