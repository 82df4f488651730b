"""Lossless recipes give the text of transformers' own ``generate`` on the LLM."""

import pytest


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("adaptive_drafts", "AdaptiveDrafts", {}),
        ("prompt_lookup", "PromptLookup", {}),
        ("speculative_cascade", "SpeculativeCascade", {"alpha": -1e6}),
    ],
)
def test_the_text_is_the_llms(base, recipe, answers, llm_texts, name, kind, options):
    strategy = recipe(name)[kind](**options)
    lm = base.with_strategy(strategy)
    assert answers(lm) == llm_texts
    counts = lm.get_model_info()["hybrid"]["total"]
    assert counts["num_accepted_draft_tokens"] > 0
    assert counts["llm_forwards"] < counts["tokens_out"]
