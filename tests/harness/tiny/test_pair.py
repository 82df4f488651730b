"""The two models: shared where they can be, each by its own arguments."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from transformers import AutoTokenizer, LlamaForCausalLM

from hybridcore import HybridLM, Positions, Strategy, hookimpl
from hybridcore.harness import loading
from hybridcore.harness import pair as pair_module
from hybridcore.harness.processes import prepare

from .conftest import byte_model, byte_tokenizer, generation, likelihood, save

REQUESTS = [generation(f"one two {i}", doc=i, max_gen_toks=6) for i in range(5)]


def test_batch_sizes_may_differ_between_strategies(loaded: HybridLM) -> None:
    answers = []
    for size in (1, 5, 2):
        lm = loaded.with_strategy("speculative")
        lm.batch_size_per_gpu = size
        answers.append(lm.generate_until(REQUESTS))
    assert answers[0] == answers[1] == answers[2]


def test_a_larger_runner_takes_the_place_of_a_smaller(
    make: Callable[..., HybridLM],
) -> None:
    pair = make().pair
    small = pair.runner("llm", 1)
    assert pair.runner("llm", 1) is small
    large = pair.runner("llm", 4)
    assert large is not small
    assert pair.runner("llm", 2) is large


def test_one_model_with_two_sets_of_arguments_is_loaded_twice(
    make: Callable[..., HybridLM], pair: dict[str, str]
) -> None:
    lm = make(slm=pair["llm"], slm_max_length=40, strategy="speculative")
    assert lm.pair.slm is not lm
    assert lm.max_length == 40
    same = make(slm=pair["llm"], strategy="speculative")
    assert same.pair.slm is same


def test_a_model_that_was_never_saved_speaks_the_llms_tokens(
    pair: dict[str, str], loaded: HybridLM
) -> None:
    llm = LlamaForCausalLM.from_pretrained(pair["llm"])
    lm = HybridLM(byte_model(1), llm, "speculative")
    expected = loaded.with_strategy("llm-only").generate_until(REQUESTS)
    assert lm.generate_until(REQUESTS) == expected
    assert lm.pair.slm is not None
    assert lm.pair.slm.tokenizer is lm.tokenizer


def test_padding_columns_are_no_tokens(
    make: Callable[..., HybridLM], pair: dict[str, str], tmp_path: Path
) -> None:
    wide = save(tmp_path, byte_model(3, vocab_size=320), byte_tokenizer())
    both = make(slm=wide, llm=wide, strategy="llm-only")
    words = len(AutoTokenizer.from_pretrained(pair["llm"]))
    shared = both.pair.vocabulary(with_slm=False)
    assert (shared.size, shared.real) == (320, words)
    mixed = make(slm=wide, strategy="speculative").pair.vocabulary(with_slm=True)
    assert (mixed.size, mixed.real) == (258, words)


def test_loaded_models_are_left_as_they_are(
    pair: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[Any] = []
    settled: list[Any] = []
    monkeypatch.setattr(
        loading, "pack", lambda model, compiles: packed.append(model) or 3
    )
    monkeypatch.setattr(
        loading, "settle", lambda model: settled.append((model, len(packed)))
    )
    slm, llm = (LlamaForCausalLM.from_pretrained(pair[role]) for role in pair)
    lm = HybridLM(slm, llm, "speculative")
    lm.generate_until(REQUESTS[:1])
    assert not packed
    assert type(llm.model.norm) is not nn.RMSNorm
    lm = HybridLM(slm, llm, "speculative", pack=True)
    lm.generate_until(REQUESTS[:1])
    lm.loglikelihood([likelihood("a", "b")])
    assert packed == [slm, llm], "once each"
    assert settled == [(slm, 1), (llm, 2)], "behind packing"
    assert type(slm.model.norm) is type(llm.model.norm) is nn.RMSNorm
    assert lm.get_model_info()["hybrid"]["llm"]["packed_linears"] == 3
    lm = HybridLM(pair["slm"], pair["llm"], "llm-only", device="cpu", pack="false")
    lm.generate_until(REQUESTS[:1])
    assert len(packed) == 2
    mixed = {"device": "cpu", "mixed_precision_dtype": "bfloat16"}
    lm = HybridLM(pair["slm"], pair["llm"], "llm-only", **mixed)
    lm.generate_until(REQUESTS[:1])
    assert len(packed) == len(settled) == 2


@pytest.mark.parametrize(
    ("given", "asked"),
    [({}, (True, False)), ({"cuda_graphs": "false", "compile": True}, (False, True))],
)
def test_a_model_has_one_recorder_of_what_was_asked_for(
    given: dict[str, Any],
    asked: tuple[bool, bool],
    pair: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []
    monkeypatch.setattr(pair_module, "recorder_of", lambda *how: made.append(how))
    lm = HybridLM(**pair, strategy="llm-only", device="cpu", **given)
    lm.generate_until(REQUESTS[:1])
    lm.pair.forget()
    lm.generate_until(REQUESTS[:1])
    assert made == [(lm.model, *asked)]


def test_what_is_compiled_is_packed_in_ways_a_compiler_reads(
    make: Callable[..., HybridLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[Any] = []
    compiled: list[Any] = []
    monkeypatch.setattr(loading, "pack", lambda model, how: packed.append(how) or 3)
    monkeypatch.setattr(
        pair_module, "compile_runner", lambda runner, model: compiled.append(model)
    )
    lm = make(strategy="speculative", compile="true")
    lm.loglikelihood([likelihood("a", "b")])
    assert not compiled, "scoring is not decoding"
    lm.generate_until(REQUESTS[:1])
    assert packed == [True, True]
    assert compiled == [lm.pair.slm.model, lm.model]
    make(strategy="llm-only").generate_until(REQUESTS[:1])
    assert packed == [True, True, False]
    assert len(compiled) == 2


class Mean(Strategy):
    """Scores by both models, whatever decoding reads."""

    requires = frozenset()

    @hookimpl
    def score(self, positions: Positions) -> Any:
        q, p = positions.q_logits.softmax(-1), positions.p_logits.softmax(-1)
        return ((q + p) / 2).log()


def test_an_slm_that_only_scores_takes_part(loaded: HybridLM) -> None:
    lm = loaded.with_strategy(Mean(), scoring="strategy")
    lm.loglikelihood([likelihood("a", "b")])
    info = lm.get_model_info()["hybrid"]
    assert info["slm"]["model"] == loaded.given.slm
    lm = loaded.with_strategy(Mean(), scoring="llm")
    assert lm.get_model_info()["hybrid"]["slm"] is None


@pytest.mark.parametrize(
    ("processes", "gpu", "told"),
    [("1", False, None), ("2", True, None), ("2", False, "true")],
)
def test_accelerate_is_told_where_several_processes_have_no_gpu(
    monkeypatch: pytest.MonkeyPatch, processes: str, gpu: bool, told: str | None
) -> None:
    # set first, so that it is taken back behind the test
    monkeypatch.setenv("ACCELERATE_USE_CPU", "")
    monkeypatch.delenv("ACCELERATE_USE_CPU")
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setenv("WORLD_SIZE", processes)
    monkeypatch.setenv("RANK", "1")
    prepare()
    assert os.environ.get("ACCELERATE_USE_CPU") == told
