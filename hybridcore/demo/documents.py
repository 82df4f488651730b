"""Writes the documents of the tasks: ``python -m hybridcore.demo.documents``.

All come from chains of numbers that training never sees.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from .language import problem
from .problem import Problem

SEED = 2026
COUNTS = {"generation": 100, "choice": 200, "perplexity": 20, "fewshot": 10}
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
    """The last step of a worked answer with four results, one of them right."""
    *before, last = drawn.steps
    context = drawn.prompt + drawn.opening + "".join(step.worked() for step in before)
    near = {last.total + d for d in (-20, -11, -10, -9, -2, -1, 1, 2, 9, 10, 11, 20)}
    wrong = rng.sample(sorted(n for n in near if 1 <= n <= 99), _CHOICES - 1)
    totals = [last.total, *wrong]
    rng.shuffle(totals)
    return {
        "context": context,
        "choices": [last.worked(total).lstrip() for total in totals],
        "label": totals.index(last.total),
    }


def documents(seed: int = SEED) -> dict[str, list[dict[str, Any]]]:
    """Return the documents of every split; the same for the same seed."""
    rng = random.Random(seed)

    def drawn(split: str) -> list[Problem]:
        return [problem(rng, held_out=True) for _ in range(COUNTS[split])]

    return {
        "generation": [generation(p) for p in drawn("generation")],
        "choice": [choice(p, rng) for p in drawn("choice")],
        "perplexity": [{"text": p.text} for p in drawn("perplexity")],
        "fewshot": [generation(p) for p in drawn("fewshot")],
        "choice_fewshot": [choice(p, rng) for p in drawn("fewshot")],
    }


def main() -> None:
    """Write one file of JSON lines for each split."""
    _DATA.mkdir(exist_ok=True)
    for split, rows in documents().items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (_DATA / f"{split}.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
