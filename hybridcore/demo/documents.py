"""Writes the documents of the tasks: ``python -m hybridcore.demo.documents``.

All come from chains of numbers that training never sees.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from .language import problem
from .problem import Problem, Step

SEED = 2026
COUNTS = {
    "generation": 100,
    "generation_hard": 100,
    "choice": 200,
    "perplexity": 20,
    "fewshot": 10,
}
_CHOICES = 4
_DATA = Path(__file__).parent / "data"


def generation(drawn: Problem) -> dict[str, Any]:
    """A question to answer step by step; ``answer`` is the number looked for."""
    return {
        "prompt": drawn.prompt,
        "solution": drawn.solution.lstrip(),
        "answer": str(drawn.answer),
    }


def choice(drawn: Problem, rng: random.Random) -> dict[str, Any]:
    """A question with four worked answers, one of them right.

    A wrong one takes another quantity of the question in one step, or gets one sum
    wrong, and goes on from there without a mistake.
    """
    versions = [drawn.solution]
    while len(versions) < _CHOICES:
        version = _mistaken(drawn, rng)
        if version is not None and version not in versions:
            versions.append(version)
    order = rng.sample(range(_CHOICES), _CHOICES)
    return {
        "context": drawn.prompt,
        "choices": [versions[i].lstrip() for i in order],
        "label": order.index(0),
    }


def _mistaken(drawn: Problem, rng: random.Random) -> str | None:
    """The worked answer with one mistake, None where a number leaves the range."""
    place = rng.randrange(len(drawn.steps))
    total = drawn.start
    steps = []
    for i, step in enumerate(drawn.steps):
        amount, slip = step.amount, 0
        if i == place and rng.random() < 0.5:
            amount = rng.choice(_quantities(drawn))
        elif i == place:
            slip = rng.choice((-20, -10, -2, -1, 1, 2, 10, 20))
        change = amount if step.total >= step.before else -amount
        action = step.action.replace(str(step.amount), str(amount))
        altered = Step(step.subject, action, amount, total, total + change + slip)
        total = altered.total
        steps.append(altered)
    if not all(1 <= step.total <= 99 for step in steps):
        return None
    return replace(drawn, steps=tuple(steps)).solution


def _quantities(drawn: Problem) -> list[int]:
    amounts = (step.amount for step in drawn.steps)
    return sorted({drawn.start, *drawn.distractors, *amounts})


def documents(seed: int = SEED) -> dict[str, list[dict[str, Any]]]:
    """Return the documents of every split; the same for the same seed."""
    rng = random.Random(seed)

    def drawn(split: str) -> list[Problem]:
        return [problem(rng, held_out=True) for _ in range(COUNTS[split])]

    return {
        "generation": [generation(p) for p in _plain(rng, COUNTS["generation"])],
        "generation_hard": [generation(p) for p in drawn("generation_hard")],
        "choice": [choice(p, rng) for p in drawn("choice")],
        "perplexity": [{"text": p.text} for p in drawn("perplexity")],
        "fewshot": [generation(p) for p in drawn("fewshot")],
        "choice_fewshot": [choice(p, rng) for p in drawn("fewshot")],
    }


def _plain(rng: random.Random, count: int) -> list[Problem]:
    """Problems of at most three steps in which every quantity matters."""
    found: list[Problem] = []
    while len(found) < count:
        drawn = problem(rng, held_out=True)
        if len(drawn.steps) <= 3 and not drawn.distractors:
            found.append(drawn)
    return found


def main() -> None:
    """Write one file of JSON lines for each split."""
    _DATA.mkdir(exist_ok=True)
    for split, rows in documents().items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (_DATA / f"{split}.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
