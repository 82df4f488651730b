"""Everything a strategy answers to a fixed set of questions, as plain lists."""

from __future__ import annotations

from typing import Any

from ..decoding.step_law import WarpLaw
from .pair import TablePair
from .rows import Rows, verdicts
from .subject import Subject


def transcript(subject: Subject) -> dict[str, Any]:
    """Return verdicts and sampled texts; the same in every process."""
    said: dict[str, Any] = {}
    if "route_token" in subject.hooks:
        said["verdicts"] = verdicts(subject.dispatcher(), Rows.random(48, 9, seed=3))
    prompts = [[i, (3 * i + 1) % 7] for i in range(6)]
    answers = TablePair.random(7, seed=5).run(
        subject.dispatcher(), prompts, 10, law=WarpLaw(1.0)
    )
    said["texts"] = [list(answer.tokens) for answer in answers]
    return said
