"""One row for each cell and task: value, LLM share, differences, intervals."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .edge import edge_interval
from .entry import Entry, entry_of
from .experiment import Experiment
from .intervals import Interval, Resampling, Statistic
from .measured import Measured
from .plain_json import plain
from .recovery import pgr
from .tasks import TaskFacts

COLUMNS = (
    "cell",
    "label",
    "role",
    "strategy",
    "options",
    "task",
    "metric",
    "higher_is_better",
    "value",
    "low",
    "high",
    "llm_share",
    "share_low",
    "share_high",
    "difference",
    "difference_low",
    "difference_high",
    "pgr",
    "pgr_low",
    "pgr_high",
    "over_random",
    "over_random_low",
    "over_random_high",
    "share_over_random",
    "share_over_random_low",
    "share_over_random_high",
    "activated_params_per_token",
    "documents",
    "note",
)
Row = dict[str, Any]


class TaskSummary:
    """Everything that was measured on one task.

    :param cells: ``cell.json`` and the measurements of each finished cell.
    """

    def __init__(
        self,
        experiment: Experiment,
        facts: TaskFacts,
        cells: Sequence[tuple[Mapping[str, Any], Measured]],
    ) -> None:
        self._experiment = experiment
        self.facts = facts
        self.entries = [entry_of(facts, cell, one) for cell, one in cells]
        self._random = {e.cell.get("beside"): e for e in self.entries}
        self.slm, self.llm = self._baseline("slm-only"), self._baseline("llm-only")

    def rows(self) -> Iterator[Row]:
        """Yield a row for each cell, in the order of the cells."""
        return map(self._row, self.entries)

    def lag(self, entry: Entry) -> Statistic | None:
        """Return a cell's value less the LLM's, on the documents of both.

        None where there is no LLM alone, or it answered other documents.
        """
        return entry.value_less(self.llm)

    def recovered(self, entry: Entry) -> Statistic | None:
        """Return the PGR of a cell as a statistic; None where there is no gap."""
        mine = self.lag(entry)
        weak = None if self.slm is None else self.lag(self.slm)
        if mine is None or weak is None:
            return None
        if weak(np.arange(len(entry.measured.documents))) == 0:
            return None
        return lambda indices: pgr(mine(indices), weak(indices))

    def resampling(self, documents: int) -> Resampling:
        """Return the resampling of all cells with as many documents."""
        asked = self._experiment
        return Resampling(documents, asked.resamples, asked.confidence, asked.seed)

    def _row(self, entry: Entry) -> Row:
        cell, one = entry.cell, entry.measured
        random = self._random.get(cell["id"])
        return {
            "cell": cell["id"],
            "label": cell["label"],
            "role": cell["role"],
            "strategy": cell["strategy"],
            "options": cell["options"],
            "task": self.facts.name,
            "metric": one.metric,
            "higher_is_better": self.facts.higher_is_better,
            "value": one.value,
            **self._value_bounds(entry),
            "llm_share": one.llm_share,
            **self._bounds("share_", entry, entry.share),
            **self._estimate("difference", entry, self.lag(entry)),
            **self._estimate("pgr", entry, self.recovered(entry)),
            **self._estimate("over_random", entry, entry.value_less(random)),
            **self._estimate("share_over_random", entry, entry.share_less(random)),
            "activated_params_per_token": one.counts.get("activated_params_per_token"),
            "documents": len(one.documents),
            "note": self._note(entry),
        }

    def _value_bounds(self, entry: Entry) -> dict[str, float | None]:
        values = None if entry.value is None else entry.measured.values
        confidence = self._experiment.confidence
        edge = edge_interval(self.facts.aggregate, values, confidence)
        if edge is None:
            return self._bounds("", entry, entry.value)
        return {"low": edge.low, "high": edge.high}

    def _estimate(
        self, name: str, entry: Entry, statistic: Statistic | None
    ) -> dict[str, float | None]:
        everything = np.arange(len(entry.measured.documents))
        value = None if statistic is None else float(statistic(everything))
        return {name: value, **self._bounds(f"{name}_", entry, statistic)}

    def _bounds(
        self, prefix: str, entry: Entry, statistic: Statistic | None
    ) -> dict[str, float | None]:
        found = Interval()
        if statistic is not None:
            found = self.resampling(len(entry.measured.documents)).interval(statistic)
        return {f"{prefix}low": found.low, f"{prefix}high": found.high}

    def _note(self, entry: Entry) -> str | None:
        if len(entry.measured.documents) == 1:
            return "one document: no interval"
        if entry.value is None:
            return "the metric cannot be had from its documents: no interval"
        if self.llm is not None and self.lag(entry) is None:
            return "other documents than llm-only: no difference"
        return None

    def _baseline(self, role: str) -> Entry | None:
        return next((e for e in self.entries if e.cell["role"] == role), None)


def as_csv(rows: Sequence[Row]) -> str:
    """Return rows as ``summary.csv``; options are JSON, what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "options": json.dumps(plain(row["options"]))})
    return text.getvalue()
