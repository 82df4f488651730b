"""Between calls the memory of the slots is given back; within one, prefixes live on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hybridcore import Hybrid, HybridLM
from hybridcore.harness import batch_size, loading
from hybridcore.harness.scoring_call import ScoringCall

from .conftest import generation, likelihood, rolling

SHARED = "few shots that every prompt begins with, one after the other: "
REQUESTS = [generation(SHARED + str(i), doc=i, max_gen_toks=4) for i in range(5)]


def held(lm: HybridLM) -> int:
    """Return the bytes that lie in the slots of all runners."""
    layers = [
        layer
        for runner in lm.pair.runners().values()
        for layer in runner._reader.cache.layers  # type: ignore[attr-defined]
    ]
    return sum(t.nbytes for layer in layers for t in (layer.keys, layer.values))


def program(lm: HybridLM) -> Hybrid:
    """Return what programs use, with the models of ``lm``."""
    hybrid = object.__new__(Hybrid)
    hybrid.lm = lm
    return hybrid


def test_a_call_reuses_prefixes_and_leaves_nothing(
    make: Callable[..., HybridLM],
) -> None:
    base = make(strategy="speculative")
    counts = []
    for _ in range(2):
        lm = base.with_strategy("speculative")
        texts = lm.generate_until(REQUESTS, disable_tqdm=True)
        assert held(lm) == 0
        counts.append((texts, lm.counts().tasks["t"].as_dict()))
    assert counts[0][1]["reused_prefix_tokens"] > 4 * 2 * len(SHARED) - 16
    assert counts[0] == counts[1], "what was read before is not in the counts"


def test_scoring_has_the_memory_of_generation(
    make: Callable[..., HybridLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program's calls go on where the last one stopped, until it scores."""
    hybrid = program(make(strategy="llm-only"))
    first, second = (hybrid.generate(SHARED, 4)[0] for _ in range(2))
    assert second.text == first.text
    assert second.counts["llm_prefill_tokens"] < first.counts["llm_prefill_tokens"]
    assert held(hybrid.lm) > 0
    seen: list[int] = []
    right = ScoringCall._models

    def models(self: ScoringCall) -> Any:
        seen.append(held(self._lm))
        return right(self)

    monkeypatch.setattr(ScoringCall, "_models", models)
    hybrid.score([(SHARED, "a")], scoring="llm")
    hybrid.lm.loglikelihood([likelihood("a", "b")])
    hybrid.generate(SHARED, 4)
    hybrid.lm.loglikelihood_rolling([rolling("a text")])
    assert seen == [0, 0, 0]


def test_a_program_may_score_while_it_generates(make: Callable[..., HybridLM]) -> None:
    hybrid = program(make(strategy="llm-only"))
    found: list[float] = []

    def score(*_: Any) -> None:
        found.append(hybrid.score([(SHARED, "a")], scoring="llm")[0].log_likelihood)

    score()
    alone = hybrid.generate(SHARED, 4)[0]
    told = hybrid.generate(SHARED, 4, on_token=score)[0]
    assert told.text == alone.text
    assert found == [found[0]] * (1 + len(told.tokens))


def test_what_auto_finds_free_is_free(
    make: Callable[..., HybridLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = make(strategy="llm-only", batch_size="auto")
    hybrid = program(lm)
    seen: list[int] = []
    monkeypatch.setattr(
        batch_size, "free_bytes", lambda device: seen.append(held(lm)) or 10**9
    )
    # weights that are laid otherwise take memory
    monkeypatch.setattr(loading, "settle", lambda model: seen.append(-1))
    for _ in range(2):
        hybrid.generate(SHARED, 4)
        assert held(lm) > 0
    assert seen == [-1, 0, 0]
