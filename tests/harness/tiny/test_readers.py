"""The results say how each model read what it scored, and how it generated."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hybridcore import HybridLM, Positions, Strategy, hookimpl
from hybridcore.harness.pair import Pair

from .conftest import generation, likelihood, rolling

SCORED = [likelihood("one two", text) for text in (" three", " four")]


def models(lm: HybridLM) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the results say of both models."""
    info = json.loads(json.dumps(lm.get_model_info()["hybrid"]))
    return info["slm"] or {}, info["llm"]


class Mean(Strategy):
    """Scores by both models."""

    @hookimpl
    def score(self, positions: Positions) -> Any:
        """Return the log of the mean of both laws."""
        q, p = positions.q_logits.softmax(-1), positions.p_logits.softmax(-1)
        return ((q + p) / 2).log()


def test_what_was_read_as_a_tree(make: Callable[..., HybridLM]) -> None:
    lm = make(strategy="uncertainty", threshold=0.0, scoring="strategy")
    assert "scoring_readers" not in models(lm)[1]
    lm.loglikelihood(SCORED)
    slm, llm = models(lm)
    assert slm["scoring_readers"] == llm["scoring_readers"] == {"tree": 2}
    assert "runner" not in llm
    hooked = lm.with_strategy(Mean())
    hooked.loglikelihood(SCORED)
    slm, llm = models(hooked)
    assert slm["scoring_readers"] == llm["scoring_readers"] == {"tree": 2}
    # another evaluation begins at zero, and scoring=llm reads the LLM alone
    other = lm.with_strategy("uncertainty", scoring="llm")
    other.loglikelihood_rolling([rolling("a text " * 30)])
    slm, llm = models(other)
    assert "scoring_readers" not in slm
    assert llm["scoring_readers"] == {"tree": 3}
    other.generate_until([generation("a", max_gen_toks=2)])
    assert models(other)[1]["runner"] == "slots"
    assert "scoring_readers" not in models(other)[1]


@pytest.mark.parametrize("strategy", ["uncertainty", Mean()])
def test_what_was_read_in_batches(
    make: Callable[..., HybridLM],
    strategy: str | Strategy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Pair, "tree", lambda self, member: None)
    lm = make(strategy=strategy, scoring="strategy")
    lm.loglikelihood(SCORED)
    assert models(lm)[0]["scoring_readers"] == {"batched": 2}


def test_a_tree_of_one_model_alone_serves_no_hook(
    make: Callable[..., HybridLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Pair.tree
    monkeypatch.setattr(
        Pair, "tree", lambda self, m: right(self, m) if m is self.llm else None
    )
    lm = make(strategy=Mean(), scoring="strategy")
    lm.loglikelihood(SCORED)
    slm, llm = models(lm)
    assert slm["scoring_readers"] == llm["scoring_readers"] == {"batched": 2}
    # and what is too long for a tree is read alone
    tree = lm.pair.tree(lm.pair.llm)
    assert tree is not None
    monkeypatch.setattr(tree, "longest", 12)
    lm = lm.with_strategy("llm-only")
    lm.loglikelihood([*SCORED, likelihood("one two three", " four")])
    assert models(lm)[1]["scoring_readers"] == {"tree": 2, "batched": 1}
    lm = lm.with_strategy("llm-only")
    lm.loglikelihood([likelihood("one two three", " four")])
    assert models(lm)[1]["scoring_readers"] == {"batched": 1}
