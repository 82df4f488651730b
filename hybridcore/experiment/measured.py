"""What a cell measured, document by document, read back from its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from .oracle import unjudged
from .tasks import TaskFacts

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """One cell on one task of N documents.

    Attributes:
        documents: ``(doc_id, hash)`` of each.
        metric: name and filter, as lm_eval writes them: ``"acc,none"``.
        value: as lm_eval reported it; None where that is no finite number.
        values: the metric of each document; None where one has none.
        from_llm, tokens: ``[N]``, tokens that the LLM chose or scored, and all; None
            where the strategy's law is its own. Without those that the oracle
            could not judge.
        counts: what was counted for the task (``config.hybrid`` of the results).
    """

    documents: tuple[tuple[int, str], ...]
    metric: str
    value: float | None
    values: list[Any] | None
    from_llm: Floats | None
    tokens: Floats | None
    counts: Mapping[str, Any]

    @property
    def llm_share(self) -> float | None:
        """The share of tokens that the LLM chose or scored."""
        if self.from_llm is None or self.tokens is None or not self.tokens.sum():
            return None
        return float(self.from_llm.sum() / self.tokens.sum())


def measured(folder: Path, tasks: Mapping[str, TaskFacts]) -> dict[str, Measured]:
    """Read a finished cell, task by task.

    :raises ArgumentError: a file is missing or damaged.
    """
    results = _json(folder / "results.json")
    oracle = _json(folder / "cell.json")["role"] == "oracle"
    shares = _shares(folder / "trace.jsonl", oracle)
    return {
        name: _of_task(folder, results, facts, shares.get(name, {}))
        for name, facts in tasks.items()
        if name in results["configs"]
    }


def _of_task(
    folder: Path,
    results: Mapping[str, Any],
    facts: TaskFacts,
    shares: Mapping[int, Floats],
) -> Measured:
    samples = list(lines_of(folder / f"samples_{facts.name}.jsonl"))
    samples = [sample for sample in samples if sample["filter"] == facts.filter]
    # a trace numbers the documents that were asked, whichever of the task's they are
    ids = range(len(samples))
    values = [sample.get(facts.metric) for sample in samples]
    known = all(i in shares for i in ids) and not np.isnan(list(shares.values())).any()
    counted = np.array([shares[i] for i in ids]) if known else None
    metric = f"{facts.metric},{facts.filter}"
    value = results["results"][facts.name].get(metric)
    return Measured(
        documents=tuple((s["doc_id"], s["doc_hash"]) for s in samples),
        metric=metric,
        value=value if isinstance(value, (int, float)) else None,
        values=None if any(value is None for value in values) else values,
        from_llm=None if counted is None else counted[:, 0],
        tokens=None if counted is None else counted[:, 1],
        counts=results["config"]["hybrid"]["tasks"].get(facts.name, {}),
    )


def _shares(trace: Path, oracle: bool) -> dict[str, dict[int, Floats]]:
    """Return for each task and document the LLM's tokens and all of them.

    Those that an oracle could not judge count as neither.
    """
    found: dict[str, dict[int, Floats]] = {}
    for line in lines_of(trace):
        task = found.setdefault(line["task"], {})
        known = task.setdefault(line["doc_id"], np.zeros(2))
        known += _counted(line)
        if oracle and line["kind"] == "generation":
            known -= unjudged(line)
    return found


def _counted(line: Mapping[str, Any]) -> Floats:
    tally = line["tally"]
    if line["kind"] == "generation":
        return np.array([tally["tokens_from_llm"], tally["tokens_out"]], float)
    if any(part["from_llm"] is None for part in line["parts"]):
        return np.full(2, np.nan)
    return np.array([tally["scored_from_llm"], tally["scored_tokens"]], float)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None


def lines_of(path: Path) -> Iterator[Any]:
    """Yield the lines of a file of JSON lines.

    :raises ArgumentError: the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ArgumentError:
    return ArgumentError(
        f"{str(path)!r} cannot be read: {error}\n"
        "delete the cell's folder to have it run again"
    )
