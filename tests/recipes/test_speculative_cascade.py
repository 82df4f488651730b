"""Between the two models, and either of them at the ends."""

import pytest
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from hybridcore.demo import model_path


def test_a_cascade_of_a_dear_llm_is_the_slms(base, recipe, answers, generated):
    strategy = recipe("speculative_cascade")["SpeculativeCascade"](alpha=1e6)
    texts = answers(base.with_strategy(strategy))
    # the last token of a budget is always the LLM's
    for text, slm in zip(texts, generated(base.pair.slm.model), strict=True):
        assert text[: len(slm) - 4] == slm[:-4]


@pytest.mark.parametrize(("alpha", "model"), [(-1e6, "demo-llm"), (1e6, "demo-slm")])
def test_a_cascade_scores_between_the_models(base, recipe, prompts, alpha, model):
    strategy = recipe("speculative_cascade")["SpeculativeCascade"](alpha=alpha)
    asked = [
        Instance("loglikelihood", {}, (prompt, " Eva has 13."), i)
        for i, prompt in enumerate(prompts)
    ]
    plain = HFLM(str(model_path(model)), device="cpu", dtype="float32")
    expected = plain.loglikelihood(asked, disable_tqdm=True)
    lm = base.with_strategy(strategy, scoring="strategy")
    scored = lm.loglikelihood(asked, disable_tqdm=True)
    assert [s[1] for s in scored] == [e[1] for e in expected]
    for (got, _), (want, _) in zip(scored, expected, strict=True):
        assert got == pytest.approx(want, abs=1e-3)
