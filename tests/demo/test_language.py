"""The generated language: solvable, the same every time, unseen where it is asked."""

import json
import random
import re

import pytest

from hybridcore.demo import documents, model_path, tasks_path
from hybridcore.demo.language import problem
from hybridcore.errors import ArgumentError

DATA = tasks_path().parent / "data"


def rows(split):
    return [
        json.loads(line) for line in (DATA / f"{split}.jsonl").read_text().splitlines()
    ]


def chain(text):
    """Follow the sums of a worked answer; return where they lead."""
    total = int(re.match(r" ?\w+ has (\d+)\.", text)[1])
    for before, sign, amount, after in re.findall(r"(\d+)([+-])(\d+)=(\d+)\.", text):
        assert int(before) == total
        total += int(amount) if sign == "+" else -int(amount)
        assert int(after) == total
    return total


def test_every_answer_follows_from_its_question():
    rng = random.Random(0)
    for _ in range(300):
        drawn = problem(rng, held_out=False)
        assert chain(drawn.solution) == drawn.answer
        assert drawn.solution.endswith(f"\nAnswer: {drawn.answer}")
        assert 1 <= drawn.answer <= 99
        said = {int(n) for n in re.findall(r"\d+", drawn.question)}
        assert {drawn.start, *(s.amount for s in drawn.steps)} <= said


def test_the_bundled_documents_are_the_generators():
    for split, made in documents.documents().items():
        assert rows(split) == made


def test_one_generation_problem_in_eight_is_long_and_one_distracts():
    said = [len(re.findall(r"\d+", row["prompt"])) for row in rows("generation")]
    sums = [row["solution"].count("=") for row in rows("generation")]
    for index, (quantities, steps) in enumerate(zip(said, sums, strict=True)):
        assert steps == 4 if index % 8 == 7 else steps in (2, 3)
        # the start, one for each step, and what only distracts
        assert quantities == 1 + steps + (index % 8 == 3)


def test_training_never_sees_a_chain_of_the_tasks():
    rng = random.Random(0)
    trained = [problem(rng, held_out=False) for _ in range(2000)]
    assert not any(p.held_out for p in trained)
    prompts = {p.prompt for p in trained}
    asked = [*rows("generation"), *rows("generation_hard")]
    assert not prompts & {row["prompt"] for row in asked}
    rng = random.Random(documents.SEED)
    assert all(problem(rng, held_out=True).held_out for _ in range(50))


def test_choices_are_four_and_one_is_right():
    for row in rows("choice"):
        assert len(set(row["choices"])) == 4
        right = row["choices"][row["label"]]
        assert chain(right) == int(right.rpartition(" ")[2])


def test_names_of_the_models():
    assert model_path("demo-slm").name == "slm"
    with pytest.raises(ArgumentError, match="no embedded model 'demo'"):
        model_path("demo")
