"""What was asked and answered in a finished cell, as requests to score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance

from ..harness.generation import prompt_of
from ..harness.hybrid_lm import HybridLM
from ..scoring import Score, ScoreRequest
from ..tally import Tally
from .measured import lines_of
from .tasks import TaskFacts


def recorded_requests(
    lm: HybridLM, folder: Path, tasks: Mapping[str, TaskFacts]
) -> list[ScoreRequest]:
    """Return every scored text, and every answer behind its prompt.

    :param folder: of a finished cell.
    """
    found: list[ScoreRequest] = []
    for facts in tasks.values():
        arguments = _arguments(folder / f"samples_{facts.name}.jsonl")
        if facts.scores:
            found += _scored(lm, facts, arguments)
        else:
            found += _answered(lm, facts.name, arguments, folder / "trace.jsonl")
    return found


def _arguments(samples: Path) -> dict[int, list[tuple[Any, ...]]]:
    """Return for each document asked, in order, the arguments of its requests."""
    by_document = {
        sample["doc_id"]: [
            tuple(argument.values()) for argument in sample["arguments"].values()
        ]
        for sample in lines_of(samples)
    }
    return dict(enumerate(by_document.values()))


def _scored(
    lm: HybridLM, facts: TaskFacts, arguments: Mapping[int, list[tuple[Any, ...]]]
) -> list[ScoreRequest]:
    rolling = facts.kind == "loglikelihood_rolling"
    kind = "loglikelihood_rolling" if rolling else "loglikelihood"
    requests = [
        Instance(kind, {}, argument, 0, (facts.name, document, 1))
        for document, some in arguments.items()
        for argument in some
    ]
    seen: list[ScoreRequest] = []

    def see(asked: Sequence[ScoreRequest]) -> Iterator[tuple[int, Score]]:
        seen.extend(asked)
        return ((i, Score(0.0, False, Tally())) for i in range(len(asked)))

    # lm_eval's own encoding of a request into ids, without a score for it
    other = lm.with_strategy(lm.strategy)
    other.replay = see
    getattr(other, kind)(requests, disable_tqdm=True)
    return seen


def _answered(
    lm: HybridLM,
    task: str,
    arguments: Mapping[int, list[tuple[Any, ...]]],
    trace: Path,
) -> Iterator[ScoreRequest]:
    for line in lines_of(trace):
        if line["task"] == task and line["tokens"]:
            prompt = prompt_of(lm, *arguments[line["doc_id"]][0])
            answer = tuple(token["id"] for token in line["tokens"])
            yield ScoreRequest(prompt.tokens, answer)
