"""Puts lm_eval's logged samples beside what a trace says of the same documents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .answer import Answer, Scored
from .document import Document, document_of
from .json_values import items, number
from .run import TaskOutcome

_SAME = 1e-6


def add_sample(
    documents: dict[int, Document], outcome: TaskOutcome, sample: Mapping[str, Any]
) -> bool:
    """Read one line into a task; False where it does not say which document it is.

    Of several filters only that of the task's metric is read.
    """
    document = sample.get("doc_id")
    if not isinstance(document, int):
        return False
    if document not in documents:
        documents[document] = document_of(sample)
    outcome.metric = outcome.metric or _first_metric(sample)
    metric, _, judged_by = outcome.metric.partition(",")
    if judged_by and sample.get("filter", judged_by) != judged_by:
        return True
    answer = outcome.answers.setdefault((document, 0), Answer())
    answer.value = number(sample.get(metric))
    if documents[document].kind == "generation":
        answer.text = answer.text or str(_first(_first(sample.get("resps"))))
        answer.extracted = str(_first(sample.get("filtered_resps")))
    else:
        said = [_scored(_first(r)) for r in items(sample.get("resps"))]
        answer.scored = _in_order(said, answer.scored)
    return True


def _first_metric(sample: Mapping[str, Any]) -> str:
    """Return what a sample is judged by where no results file says."""
    name, judged_by = _first(sample.get("metrics")), sample.get("filter")
    return f"{name},{judged_by}" if name and judged_by else ""


def _in_order(said: list[Scored], traced: list[Scored]) -> list[Scored]:
    """Return what was scored in the order of the choices.

    A trace says of no line which choice it was; the log-likelihood does.
    """
    left = list(traced)
    found = []
    for one in said:
        same = [t for t in left if _equal(t.log_likelihood, one.log_likelihood)]
        if same:
            left.remove(same[0])
        found.append(same[0] if same else one)
    return found


def _equal(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=_SAME, abs_tol=_SAME)


def _scored(response: Any) -> Scored:
    """Read ``["-1.5", "True"]``, or ``"-1.5"`` of a whole text."""
    parts = items(response) or [response]
    try:
        said = float(parts[0])
    except (IndexError, OverflowError, TypeError, ValueError):
        said = math.nan
    likelihood = said if math.isfinite(said) else None
    return Scored(likelihood, len(parts) > 1 and str(parts[1]) == "True")


def _first(given: Any) -> Any:
    found = items(given)
    return found[0] if found else ""
