"""loglikelihood and its rolling sister: HFLM's numbers, or the strategy's law."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lm_eval.models.huggingface import HFLM

from hybridcore import HybridLM, Strategy, Verdict, hookimpl
from hybridcore.errors import StrategyError

from .conftest import WINDOW, likelihood, rolling

PAIRS = [
    ("hello", " you"),
    ("hello", " me"),
    ("hello ", "me"),
    ("", "abc"),
    ("", "<s>abc"),
    ("z" * 150, " abcdef"),
    ("word", "x"),
    ("word", "y"),
    ("naïve ", "café 中文"),
]
TEXTS = ["abc def " * 40, "hi", "", "a" * WINDOW, "b" * (WINDOW + 1)]


class Holding(Strategy):
    """Judges drafts without being lossless: has no law that is known."""

    @hookimpl
    def verify(self, block: Any) -> Verdict | None:
        return None


@pytest.fixture(scope="module")
def models(pair: dict[str, str]) -> dict[str, HFLM]:
    return {r: HFLM(pair[r], device="cpu", dtype="float32") for r in pair}


def requests() -> list[Any]:
    return [likelihood(*texts, doc=i) for i, texts in enumerate(PAIRS)]


@pytest.mark.parametrize("batch_size", [1, 4, "auto"])
def test_scores_are_hflms(
    make: Callable[..., HybridLM], models: dict[str, HFLM], batch_size: Any
) -> None:
    lm = make(batch_size=batch_size)
    ours, theirs = lm.loglikelihood(requests()), models["llm"].loglikelihood(requests())
    assert [v for v, _ in ours] == pytest.approx([v for v, _ in theirs], abs=1e-4)
    assert [g for _, g in ours] == [g for _, g in theirs]
    total = lm.counts().tasks["t"]
    assert total.requests == len(PAIRS)
    assert total.scored_from_llm == total.scored_tokens
    assert (total.truncated_prompts, total.empty_contexts) == (1, 2)
    assert total.slm_forwards == 0


def test_rolling_scores_are_hflms(loaded: HybridLM, models: dict[str, HFLM]) -> None:
    texts = [rolling(text, doc=i) for i, text in enumerate(TEXTS)]
    lm = loaded.with_strategy("slm-only")
    ours, theirs = (
        lm.loglikelihood_rolling(texts),
        models["llm"].loglikelihood_rolling(texts),
    )
    assert ours == pytest.approx(theirs, abs=1e-3)
    # the windows of one text are one request
    assert lm.counts().tasks["t"].requests == len(TEXTS)
    assert lm.counts().tasks["t"].scored_tokens == sum(map(len, TEXTS))


def test_a_short_window_of_an_slm_that_does_not_score_is_no_ones(
    make: Callable[..., HybridLM], models: dict[str, HFLM]
) -> None:
    texts = [rolling(text, doc=i) for i, text in enumerate(TEXTS)]
    lm = make(slm_max_length=40, strategy="entropy")
    assert lm.max_length == 40
    theirs = models["llm"].loglikelihood_rolling(texts)
    assert lm.loglikelihood_rolling(texts) == pytest.approx(theirs, abs=1e-3)


def test_a_context_is_cut_where_it_does_not_fit(
    loaded: HybridLM, caplog: pytest.LogCaptureFixture
) -> None:
    """The last token is never read, so one more than the window fits."""
    lm = loaded.with_strategy("slm-only")
    lm.loglikelihood([likelihood("a" * WINDOW, "b")])
    assert not lm.counts().tasks["t"].truncated_prompts
    assert "cut at the left" not in caplog.text
    lm.loglikelihood([likelihood("a" * (WINDOW + 1), "b")])
    assert lm.counts().tasks["t"].truncated_prompts == 1
    assert "1 contexts are longer than the window of 96 tokens: cut" in caplog.text


def test_encoded_requests_of_no_task(
    loaded: HybridLM, models: dict[str, HFLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = [(("a", "b"), [5, 6], [7]), (None, [8], [9, 10])]
    lm = loaded.with_strategy("slm-only")
    kept: list[Any] = []
    monkeypatch.setattr(lm.cache_hook, "add_partial", lambda *item: kept.append(item))
    ours = lm._loglikelihood_tokens(encoded)
    assert [texts for _, texts, _ in kept] == [("a", "b")]
    theirs = models["llm"]._loglikelihood_tokens(encoded)
    assert [v for v, _ in ours] == pytest.approx([v for v, _ in theirs], abs=1e-4)


def test_scores_are_cached_when_they_are_ready(
    loaded: HybridLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[Any, Any] = {}
    lm = loaded.with_strategy("slm-only")
    monkeypatch.setattr(
        lm.cache_hook, "add_partial", lambda a, r, x: kept.__setitem__((a, tuple(r)), x)
    )
    scores = lm.loglikelihood(requests())
    totals = lm.loglikelihood_rolling([rolling(text) for text in TEXTS])
    for texts, score in zip(PAIRS, scores, strict=True):
        assert kept["loglikelihood", texts] == score
    for text, total in zip(TEXTS, totals, strict=True):
        assert kept["loglikelihood_rolling", (text,)] == total


@pytest.mark.parametrize(("threshold", "role"), [(1.0, "slm"), (-1.0, "llm")])
def test_strategy_scoring_at_its_two_ends(
    loaded: HybridLM, models: dict[str, HFLM], threshold: float, role: str
) -> None:
    lm = loaded.with_strategy("uncertainty", scoring="strategy", threshold=threshold)
    ours, theirs = lm.loglikelihood(requests()), models[role].loglikelihood(requests())
    assert [v for v, _ in ours] == pytest.approx([v for v, _ in theirs], abs=1e-3)
    total = lm.counts().tasks["t"]
    assert total.scored_from_llm == (total.scored_tokens if role == "llm" else 0)
    assert total.llm_requests_skipped == (0 if role == "llm" else len(PAIRS))


def test_strategy_scoring_in_between(loaded: HybridLM, models: dict[str, HFLM]) -> None:
    """Against the definition, written down: p where the SLM is unsure, else q."""
    context, text = "hello", " you there"
    ids = torch.tensor([models["llm"].tok_encode(context + text)])
    with torch.no_grad():
        laws = {r: lm.model(ids).logits[0].log_softmax(-1) for r, lm in models.items()}
    expected, asked = 0.0, 0
    unsure = 1 - laws["slm"].exp().max(-1).values
    # between two positions, where rounding does not decide
    middle = unsure[4:-1].sort().values
    threshold = float(middle[len(middle) // 2 - 1 :][:2].mean())
    for position in range(len(context) - 1, ids.shape[1] - 1):
        role = "llm" if unsure[position] > threshold else "slm"
        asked += role == "llm"
        expected += float(laws[role][position, ids[0, position + 1]])
    lm = loaded.with_strategy("uncertainty", scoring="strategy", threshold=threshold)
    (score,) = lm.loglikelihood([likelihood(context, text)])
    assert score[0] == pytest.approx(expected, abs=1e-4)
    assert 0 < asked < len(text)
    assert lm.counts().tasks["t"].scored_from_llm == asked


def test_a_strategy_without_a_known_law_is_refused_at_once(loaded: HybridLM) -> None:
    with pytest.raises(StrategyError, match="Holding cannot be scored"):
        loaded.with_strategy(Holding(), scoring="strategy")
    assert loaded.with_strategy(Holding(), scoring="llm").loglikelihood(requests())
