"""Counts and traces are those of one evaluation, whoever is evaluated twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.model import CachingLM
from lm_eval.models.huggingface import HFLM

from hybridcore import HybridLM
from hybridcore.harness import loading, pair
from hybridcore.harness.report import table

from .conftest import generation, likelihood, rolling

TEXTS = [generation(f"p{i}", doc=i, max_gen_toks=2 + i) for i in range(3)]
PAIRS = [likelihood("a", "b"), likelihood("a", "c", doc=1)]


def requests(lm: HybridLM) -> int:
    return sum(tally.requests for tally in lm.counts().tasks.values())


@pytest.fixture
def lm(loaded: HybridLM) -> HybridLM:
    return loaded.with_strategy("slm-only")


def test_kinds_of_one_evaluation_are_counted_together(lm: HybridLM) -> None:
    lm.generate_until(TEXTS)
    lm.loglikelihood(PAIRS)
    lm.loglikelihood_rolling([rolling("abc")])
    assert requests(lm) == 6
    assert lm.get_model_info()["hybrid"]["total"]["requests"] == 6


def test_a_kind_that_comes_again_is_another_evaluations(lm: HybridLM) -> None:
    lm.batch_size_per_gpu = "auto"
    for _ in range(2):
        lm.generate_until(TEXTS)
        assert requests(lm) == 3
        assert list(lm.batch_sizes) == [0]
    lm.loglikelihood(PAIRS)
    assert requests(lm) == 5


def test_a_report_ends_an_evaluation(lm: HybridLM) -> None:
    lm.generate_until(TEXTS)
    lm.get_model_info()
    assert requests(lm) == 3, "what was reported can be read again"
    lm.loglikelihood(PAIRS)
    assert requests(lm) == 2


def test_gathering_ends_it_in_every_process(
    lm: HybridLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first of several processes is asked for a report."""
    lm.generate_until(TEXTS)
    monkeypatch.setattr(HFLM, "gather_object", lambda self, own, dst=0: [own, own])
    lm.barrier()
    lm.gather_object({"metrics": 1})
    assert requests(lm) == 6
    lm.loglikelihood(PAIRS)
    assert requests(lm) == 2
    lm.barrier()
    assert requests(lm) == 4


def test_answers_of_the_response_cache_are_a_number(
    loaded: HybridLM, tmp_path: Path
) -> None:
    database = str(tmp_path / "cache.db")
    first = loaded.with_strategy("slm-only")
    CachingLM(first, database).generate_until(TEXTS[:2])
    assert first.get_model_info()["hybrid"]["total"]["cached_requests"] == 0
    # the same object is evaluated again, with the cache that it filled
    caching = CachingLM(first, database)
    caching.generate_until(TEXTS)
    caching.loglikelihood(PAIRS)
    info = caching.get_model_info()["hybrid"]
    assert (info["total"]["cached_requests"], info["total"]["requests"]) == (2, 3)
    assert ", 2 answers from the response cache" in table(info)
    # and once more, all of it from the cache
    caching.generate_until(TEXTS)
    info = caching.get_model_info()["hybrid"]
    assert (info["total"]["cached_requests"], info["total"]["requests"]) == (3, 0)


def lines(path: Path) -> list[int]:
    return [json.loads(line)["doc_id"] for line in path.read_text().splitlines()]


def test_each_evaluation_has_its_own_trace(
    make: Callable[..., HybridLM], tmp_path: Path
) -> None:
    path = tmp_path / "trace.jsonl"
    lm = make(strategy="slm-only", trace=str(path))
    lm.generate_until(TEXTS[:1])
    lm.loglikelihood(PAIRS[1:])
    lm.generate_until(TEXTS[1:2])
    other = lm.with_strategy("llm-only")
    other.generate_until(TEXTS[2:])
    lm.loglikelihood(PAIRS)
    assert lines(path) == [2]
    assert lines(tmp_path / "trace.1.jsonl") == [0, 1]
    assert lines(tmp_path / "trace.2.jsonl") == [1, 0, 1], "still its own file"
    # another run, with the same argument, keeps all of them
    make(strategy="slm-only", trace=str(path)).generate_until(TEXTS[:2])
    assert sorted(lines(path)) == [0, 1]
    assert lines(tmp_path / "trace.3.jsonl") == [2]


def test_a_resumed_evaluation_goes_on_in_its_trace(
    make: Callable[..., HybridLM], tmp_path: Path
) -> None:
    database, path = str(tmp_path / "cache.db"), tmp_path / "trace.jsonl"
    for part in (TEXTS[:1], TEXTS):
        lm = make(strategy="slm-only", trace=str(path))
        CachingLM(lm, database).generate_until(part)
    assert lines(path)[0] == 0
    assert sorted(lines(path)) == [0, 1, 2]
    assert list(tmp_path.glob("trace*")) == [path]


def test_an_evaluation_with_an_empty_cache_is_a_new_one(
    make: Callable[..., HybridLM], tmp_path: Path
) -> None:
    path = tmp_path / "trace.jsonl"
    for part in (TEXTS[:1], TEXTS):
        lm = make(strategy="slm-only", trace=str(path))
        database = str(tmp_path / f"cache{len(part)}.db")
        CachingLM(lm, database).generate_until(part)
    assert sorted(lines(path)) == [0, 1, 2]
    assert lines(tmp_path / "trace.1.jsonl") == [0]


def test_making_runners_is_lazy_and_off_the_clock(
    make: Callable[..., HybridLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    for name in ("choose_runner", "choose_tree_reader"):
        monkeypatch.setattr(pair, name, slow(getattr(pair, name), made, name))
    monkeypatch.setattr(
        loading, "pack", lambda model, compiles: made.append(model) or 0
    )
    lm = make(strategy="speculative")
    assert not made
    lm.loglikelihood(PAIRS)
    assert made == [lm.model, ("choose_tree_reader", lm.model)], "not the SLM"
    lm.generate_until(TEXTS)
    assert lm.pair.slm is not None
    small = lm.pair.slm.model
    assert made[2:] == [
        small,
        ("choose_runner", small),
        ("choose_runner", lm.model),
    ]
    counts = lm.counts()
    assert 0 < counts.generation_s < SLOW
    assert 0 < counts.scoring_s < SLOW


SLOW = 5.0  # seconds of a clock that nobody waits for


def slow(make: Callable[..., Any], made: list[Any], name: str) -> Callable[..., Any]:
    """Return ``make`` as if it took :data:`SLOW` seconds, noting the model."""

    def run(model: Any, *rest: Any) -> Any:
        made.append((name, model))
        skipped.append(SLOW)
        return make(model, *rest)

    return run


skipped: list[float] = []


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that leaps where something is slow."""
    skipped.clear()
    now = time.perf_counter
    monkeypatch.setattr(
        "hybridcore.harness.ledger.time.perf_counter", lambda: now() + sum(skipped)
    )
