"""Every argument of generate does what it does in HFLM, or is refused in a line."""

from __future__ import annotations

from typing import Any

import pytest
from lm_eval.models.huggingface import HFLM
from transformers import GenerationConfig

from hybridcore import HybridLM
from hybridcore.errors import RequestError
from hybridcore.harness.generation_names import KNOWN, OF_LM_EVAL, checked

from .conftest import generation

# a value that is not the default, of every field of GenerationConfig that may matter
SAME: dict[str, Any] = {
    "max_length": 16,
    "max_new_tokens": 5,
    "min_length": 20,
    "min_new_tokens": 11,
    "top_k": 3,
    "top_p": 0.5,
    "repetition_penalty": 1.5,
    "no_repeat_ngram_size": 1,
    "bad_words_ids": [[218]],
    "renormalize_logits": True,
    "forced_bos_token_id": 9,
    "forced_eos_token_id": 1,
    "exponential_decay_length_penalty": (2, 1.5),
    "suppress_tokens": [251],
    "begin_suppress_tokens": [41],
    "sequence_bias": {(251,): -30.0},
    "eos_token_id": 251,
    "early_stopping": True,
    "length_penalty": 2.0,
    "cache_implementation": "static",
    "output_attentions": True,
    "output_scores": True,
    "low_memory": True,
    "num_assistant_tokens": 3,
    "decoder_start_token_id": 3,
    "temperature": 0.0,
    "do_sample": False,
}
REFUSED: dict[str, Any] = {
    "num_beams": 2,
    "max_time": 1.0,
    "stop_strings": ["a"],
    "encoder_repetition_penalty": 1.5,
    "encoder_no_repeat_ngram_size": 2,
    "token_healing": True,
    "guidance_scale": 2.0,
    "num_return_sequences": 2,
    "is_assistant": True,
    "prompt_lookup_num_tokens": 3,
    "penalty_alpha": 0.5,
    "dola_layers": "low",
    "constraints": [1],
    "force_words_ids": [[5]],
}
# the ids above are of the text that the model says without any of them
CHANGES = (
    "max_length",
    "max_new_tokens",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "bad_words_ids",
    "suppress_tokens",
    "begin_suppress_tokens",
    "sequence_bias",
    "eos_token_id",
)


@pytest.fixture(scope="module")
def hflm(pair: dict[str, str]) -> HFLM:
    return HFLM(pretrained=pair["llm"], device="cpu", dtype="float32")


def text(lm: Any, **kwargs: Any) -> str:
    given = {"max_gen_toks": 12, "until": ["zzz"], **kwargs}
    if "max_new_tokens" in kwargs:
        del given["max_gen_toks"]
    answers: list[str] = lm.generate_until(
        [generation("hello world", **given)], disable_tqdm=True
    )
    return answers[0]


@pytest.fixture(scope="module")
def expected(hflm: HFLM) -> dict[str, str]:
    return {name: text(hflm, **{name: value}) for name, value in SAME.items()}


@pytest.mark.parametrize("strategy", ["llm-only", "speculative"])
def test_they_do_what_they_do_in_hflm(
    loaded: HybridLM, expected: dict[str, str], strategy: str
) -> None:
    lm = loaded.with_strategy(strategy)
    plain = text(lm)
    for name, value in SAME.items():
        assert text(lm, **{name: value}) == expected[name], name
        assert (expected[name] != plain) or name not in CHANGES, name


def test_what_is_not_done_here_is_refused(loaded: HybridLM) -> None:
    lm = loaded.with_strategy("llm-only")
    for name, value in REFUSED.items():
        with pytest.raises(RequestError) as error:
            text(lm, **{name: value})
        line, *_ = str(error.value).splitlines()
        assert name in line or "generation mode" in line, line


def test_known_names_are_lm_evals_and_transformers() -> None:
    fields = set(GenerationConfig().to_dict())
    assert set(KNOWN) >= fields - {"transformers_version", "_from_model_config"}
    assert {"until", "max_gen_toks", "do_sample"} <= set(OF_LM_EVAL) <= set(KNOWN)
    given = {"until": ["a"], "use_cache": True, "max_time": None, "top_k": 3}
    assert checked(given) == {"until": ["a"], "top_k": 3}


@pytest.mark.parametrize(
    ("sampling", "greedy"),
    [({"do_sample": False, "temperature": 0.7}, True), ({"temperature": 0.7}, False)],
)
def test_temperature_and_do_sample_contradict_as_in_hflm(
    loaded: HybridLM, hflm: HFLM, sampling: dict[str, Any], greedy: bool
) -> None:
    lm = loaded.with_strategy("llm-only")
    assert (text(lm, **sampling) == text(hflm)) == greedy
    assert (text(hflm, **sampling) == text(hflm)) == greedy
