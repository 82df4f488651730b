"""``adaptive=true``: the same greedy texts, and a word where it does not apply."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from lm_eval.models.huggingface import HFLM

from hybridcore import Block, Strategy, Verdict, hookimpl
from hybridcore.errors import ArgumentError
from hybridcore.harness.hybrid_lm import HybridLM
from hybridcore.hybrid import Hybrid

from .conftest import generation

REQUESTS = [generation(f"{i} and {i}", doc=i, max_gen_toks=20 + i) for i in range(9)]


class Lossy(Strategy):
    """Accepts whatever was drafted."""

    @hookimpl
    def verify(self, block: Block) -> Verdict | None:
        return None


@pytest.mark.parametrize("batch_size", [1, 4])
def test_greedy_texts_are_hflms(
    make: Callable[..., HybridLM], pair: dict[str, str], batch_size: int
) -> None:
    hflm = HFLM(pair["llm"], device="cpu", dtype="float32")
    lm = make(strategy="speculative", adaptive="true", batch_size=batch_size)
    # the small model is a random one: nearly nothing that it drafts is accepted
    assert lm.generate_until(REQUESTS, disable_tqdm=True) == hflm.generate_until(
        REQUESTS, disable_tqdm=True
    )
    info = lm.get_model_info()["hybrid"]
    assert info["adaptive"] is True
    # how many of each depends on the clock
    assert min(info["total"][f"num_{kind}_steps"] for kind in ("plain", "spec")) > 0


def test_it_is_off_unless_asked_for(loaded: HybridLM) -> None:
    lm = loaded.with_strategy("speculative")
    lm.generate_until(REQUESTS[:2], disable_tqdm=True)
    assert lm.counts().as_dict(1, 1)["total"]["num_plain_steps"] == 0
    lm = loaded.with_strategy("speculative", adaptive="false")
    lm.generate_until(REQUESTS[:2], disable_tqdm=True)
    assert lm.counts().as_dict(1, 1)["total"]["num_plain_steps"] == 0
    lm = loaded.with_strategy("speculative", adaptive="true")
    lm.generate_until(REQUESTS[:2], disable_tqdm=True)
    assert lm.counts().as_dict(1, 1)["total"]["num_plain_steps"] > 0


def test_what_is_neither_true_nor_false_is_refused(loaded: HybridLM) -> None:
    with pytest.raises(ArgumentError, match="adaptive='maybe': expected true or false"):
        loaded.with_strategy("speculative", adaptive="maybe")


def test_hybrid_takes_it(pair: dict[str, str]) -> None:
    hybrid = Hybrid(**pair, strategy="speculative", device="cpu", adaptive=True)
    answers = hybrid.generate(["a", "b"], max_new_tokens=12)
    assert sum(answer.counts["num_plain_steps"] for answer in answers) > 0


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ("uncertainty", "strategy Uncertainty has no blocks of drafts to shorten"),
        ("llm-only", "strategy LlmOnly has no blocks of drafts to shorten"),
        (Lossy(), "strategy Lossy is not lossless"),
    ],
)
def test_it_is_ignored_with_a_warning(
    loaded: HybridLM,
    strategy: str | Strategy,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="hybridcore")
    lm = loaded.with_strategy(strategy, adaptive=True)
    assert [r.getMessage() for r in caplog.records if "adaptive" in r.getMessage()] == [
        caplog.messages[-1]
    ]
    assert why in caplog.messages[-1]
    assert lm.get_model_info()["hybrid"]["adaptive"] is False
    lm.generate_until(REQUESTS[:2], disable_tqdm=True)
    assert lm.counts().as_dict(1, 1)["total"]["num_plain_steps"] == 0
