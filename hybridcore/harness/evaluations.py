"""The counts of one evaluation after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .ledger import Ledger
from .recorder import Recorder
from .trace import Trace

Gather = Callable[[Ledger], "list[Ledger] | None"]


class Evaluations:
    """Gives every evaluation a recorder of its own, with counts that begin at zero.

    lm_eval says neither when an evaluation begins nor when it ends. But in each it
    asks a kind of request once, and at the end for a report.

    :param strategy: its name, and ``options`` its options, for the lines of a trace.
    """

    def __init__(
        self, trace: Trace | None, strategy: str, options: dict[str, Any]
    ) -> None:
        self._new = lambda continues: Recorder(trace, strategy, options, continues)
        self.recorder: Recorder = self._new(False)
        self._kinds: set[str] = set()
        self._reported = False
        self._cached = 0
        self._everywhere: list[Ledger] = []

    def begin(self, kind: str) -> bool:
        """Note that requests of a kind come; tell whether a new evaluation began."""
        over = self._reported or kind in self._kinds
        if over:
            self.anew()
        self._kinds.add(kind)
        self._settle()
        return over

    def anew(self, continues: bool = False) -> None:
        """Begin a new evaluation.

        :param continues: it takes answers of an earlier one that was cut off.
        """
        self.recorder.close()
        self.recorder = self._new(continues)
        self._kinds.clear()
        self._reported = False
        self._everywhere = []

    def cached_answer(self) -> None:
        """Count an answer that lm_eval took from its response cache."""
        self._cached += 1

    def reported(self) -> None:
        """Note that all requests were answered: what comes now is another one's."""
        self._settle()
        self._reported = True

    def collect(self, gather: Gather) -> None:
        """Gather what all processes have counted so far; all of them must call it."""
        self._settle()
        self._everywhere = gather(self.recorder.ledger) or []

    def counts(self) -> Ledger:
        """Return what was counted, over all processes as of the last collection."""
        self._settle()
        return Ledger.total(self._everywhere or [self.recorder.ledger])

    def _settle(self) -> None:
        # lm_eval looks into its cache before it asks for what is not there
        if self._cached and self._reported:
            self.anew()
        self.recorder.ledger.cached += self._cached
        self._cached = 0
