"""Both models are loaded as HFLM loads one; what cannot be used says so in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.models.huggingface import HFLM
from transformers import AutoTokenizer, LlamaForCausalLM

from hybridcore import HybridLM
from hybridcore.errors import ArgumentError, ModelError
from hybridcore.harness.loading import CausalHFLM

from .conftest import byte_model, generation

REQUESTS = [generation("one two", max_gen_toks=6)]


def test_the_slm_has_its_own_arguments(make: Callable[..., HybridLM]) -> None:
    lm = make(slm_dtype="bfloat16", attn_implementation="eager")
    assert lm.pair.slm is not None
    assert lm.model.dtype == torch.float32
    assert lm.pair.slm.model.dtype == torch.bfloat16
    for model in (lm.model, lm.pair.slm.model):
        assert model.config._attn_implementation == "eager"


def test_loaded_models(pair: dict[str, str], loaded: HybridLM) -> None:
    slm, llm = (LlamaForCausalLM.from_pretrained(pair[role]) for role in pair)
    lm = HybridLM(slm, llm, "speculative", batch_size=2)
    expected = loaded.with_strategy("llm-only").generate_until(REQUESTS)
    assert lm.generate_until(REQUESTS) == expected
    assert lm.model is llm


def test_models_that_were_never_saved(pair: dict[str, str], loaded: HybridLM) -> None:
    tokenizer = AutoTokenizer.from_pretrained(pair["llm"])
    lm = HybridLM(byte_model(1), byte_model(2), "speculative", tokenizer=tokenizer)
    expected = loaded.with_strategy("llm-only").generate_until(REQUESTS)
    assert lm.generate_until(REQUESTS) == expected


def test_one_model_in_both_roles_is_loaded_once(make: Callable[..., HybridLM]) -> None:
    lm = make(slm=make().given.llm, strategy="speculative")
    assert lm.pair.slm is lm
    answers = lm.generate_until(REQUESTS)
    assert answers == lm.with_strategy("llm-only").generate_until(REQUESTS)
    total = lm.counts().tasks["t"]
    assert total.num_accepted_draft_tokens == total.num_draft_tokens > 0


def test_the_slm_is_loaded_when_it_is_first_read(
    make: Callable[..., HybridLM],
) -> None:
    lm = make(strategy="llm-only")
    assert lm.pair.loaded_slm is None
    assert lm.get_model_info()["hybrid"]["slm"] is None
    other = lm.with_strategy("speculative")
    assert other.pair.loaded_slm is not None
    assert other.pair is lm.pair


def test_a_missing_slm_is_an_error_where_it_is_read(
    make: Callable[..., HybridLM],
) -> None:
    lm = make(slm=None, strategy="llm-only")
    assert lm.generate_until(REQUESTS)
    with pytest.raises(ArgumentError, match="slm is missing: strategy Entropy"):
        lm.with_strategy("entropy")


def test_windows_are_the_shortest_of_those_that_take_part(
    make: Callable[..., HybridLM],
) -> None:
    lm = make(slm_max_length=40, strategy="entropy")
    assert (lm.max_length, lm.scoring_window) == (40, 96)
    assert lm.with_strategy("llm-only").max_length == 96
    assert make(slm_max_length=40, scoring="strategy").scoring_window == 40


def test_quantization_reaches_from_pretrained(
    make: Callable[..., HybridLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HFLM's own constructor cannot pass ``quantization_config`` on."""
    seen: list[Any] = []
    create = HFLM._create_model

    def spy(self: Any, *args: Any, **kwargs: Any) -> None:
        seen.append((self.role, kwargs.pop("quantization_config")))
        create(self, *args, **kwargs)

    monkeypatch.setattr(HFLM, "_create_model", spy)
    make(slm_quantization_config={"quant_method": "x"})
    assert seen == [("llm", None), ("slm", {"quant_method": "x"})]
    seen.clear()
    make(llm_load_in_4bit=True, llm_bnb_4bit_compute_dtype="bfloat16")
    (_, config), (_, none) = seen
    assert config.load_in_4bit
    assert config.bnb_4bit_compute_dtype == torch.bfloat16
    assert none is None


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        ("*", "Unrecognized model"),
        ("*.safetensors", "its weights cannot be loaded: "),
        ("tokenizer*", "no tokenizer there: "),
        ("/", "no such folder\n"),
    ],
)
@pytest.mark.parametrize("role", ["slm", "llm"])
def test_folders_that_are_no_model(
    make: Callable[..., HybridLM],
    pair: dict[str, str],
    tmp_path: Path,
    role: str,
    missing: str,
    what: str,
) -> None:
    folder = tmp_path / "copy"
    if missing != "/":
        shutil.copytree(pair["llm"], folder, ignore=shutil.ignore_patterns(missing))
    with pytest.raises(ModelError) as error:
        make(**{role: str(folder)})
    line, advice = str(error.value).split("\n")
    assert line.startswith(f"{role}={str(folder)!r}: ")
    assert what.strip() in line
    assert advice.startswith("expected a Hugging Face model id, or a folder")


def test_the_slm_is_looked_at_before_the_llm_is_loaded(
    make: Callable[..., HybridLM], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(CausalHFLM, "_create_model", never)
    with pytest.raises(ModelError, match="no model there"):
        make(slm=str(tmp_path))
