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
    "choice_fewshot": 10,
}
_CHOICES = 4
# lengths and number of distracting quantities, in turn
_PLAIN = ((2, 3), 0)
_GRADES = (_PLAIN, _PLAIN, _PLAIN, ((2, 3), 1), _PLAIN, _PLAIN, _PLAIN, ((4,), 0))
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
    """Return the documents of every split; the same for the same seed.

    Each split is drawn on its own, so that one may change without the others.
    """

    def drawn(split: str) -> tuple[list[Problem], random.Random]:
        rng = random.Random(f"{seed}-{split}")
        return [problem(rng, held_out=True) for _ in range(COUNTS[split])], rng

    def choices(split: str) -> list[dict[str, Any]]:
        problems, rng = drawn(split)
        return [choice(p, rng) for p in problems]

    graded = _graded(random.Random(f"{seed}-generation"), COUNTS["generation"])
    return {
        "generation": [generation(p) for p in graded],
        "generation_hard": [generation(p) for p in drawn("generation_hard")[0]],
        "choice": choices("choice"),
        "perplexity": [{"text": p.text} for p in drawn("perplexity")[0]],
        "fewshot": [generation(p) for p in drawn("fewshot")[0]],
        "choice_fewshot": choices("choice_fewshot"),
    }


def _graded(rng: random.Random, count: int) -> list[Problem]:
    """Return problems that follow :data:`_GRADES` in turn."""
    found: list[Problem] = []
    while len(found) < count:
        lengths, distractors = _GRADES[len(found) % len(_GRADES)]
        drawn = problem(rng, held_out=True)
        if len(drawn.steps) in lengths and len(drawn.distractors) == distractors:
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
