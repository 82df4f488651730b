"""generate_until: HFLM's text for the same tokens, in batches of anything."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lm_eval.models.huggingface import HFLM
from transformers import LlamaForCausalLM

from hybridcore import Route, Step, Strategy, hookimpl
from hybridcore.errors import RequestError
from hybridcore.harness.generation import eos_ids, prompt_of, text_of
from hybridcore.harness.hybrid_lm import HybridLM

from .conftest import WINDOW, byte_tokenizer, generation, save

REQUESTS = [
    generation("hello world", max_gen_toks=20, until=["\n"]),
    generation("one two", doc=1, max_gen_toks=30, until=["4", "u"]),
    generation("".join(map(str, range(80))), doc=2, max_gen_toks=10),
    generation("Q: what? " * 3, doc=3, max_gen_toks=40, until="C"),
    generation("naïve café — 中文", doc=4, max_new_tokens=12),
    generation("hello world", doc=5, max_gen_toks=5, repetition_penalty=1.5),
]


@pytest.fixture(scope="module")
def hflm(pair: dict[str, str]) -> HFLM:
    return HFLM(pretrained=pair["llm"], device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def expected(hflm: HFLM) -> list[str]:
    return hflm.generate_until(REQUESTS, disable_tqdm=True)


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("strategy", ["llm-only", "speculative"])
def test_lossless_strategies_give_hflms_texts(
    make: Callable[..., HybridLM], expected: list[str], strategy: str, batch_size: int
) -> None:
    lm = make(strategy=strategy, batch_size=batch_size)
    assert lm.generate_until(REQUESTS, disable_tqdm=True) == expected
    assert any(expected)


@pytest.mark.parametrize("think", ["4", 60])
def test_thinking_is_cut_as_hflm_cuts_it(
    make: Callable[..., HybridLM], pair: dict[str, str], think: str | int
) -> None:
    hflm = HFLM(pair["llm"], device="cpu", dtype="float32", think_end_token=think)
    lm = make(strategy="llm-only", think_end_token=think)
    tokens = hflm.tok_encode("why 4 so  what</s>")
    assert text_of(lm, [*tokens, 60, 40, 60, 41], ["z"])
    assert lm.generate_until(REQUESTS) == hflm.generate_until(REQUESTS)


def test_the_cache_has_room_for_the_requests_alone(
    make: Callable[..., HybridLM],
) -> None:
    lm = make(strategy="llm-only", batch_size=64)
    lm.generate_until(REQUESTS[:2])
    llm = lm.pair.runners()["llm"]
    for _ in range(2):
        llm.acquire([1])
    with pytest.raises(RuntimeError, match="all 2 slots are taken"):
        llm.acquire([1])


def test_texts_do_not_depend_on_batch_or_order(
    make: Callable[..., HybridLM],
) -> None:
    sampled = [
        generation(f"prompt {i}", doc=i, max_gen_toks=8, temperature=1.0, top_k=20)
        for i in range(6)
    ]
    one = make(seed=5).generate_until(sampled)
    many = make(seed=5, batch_size=4).generate_until(sampled[::-1])
    assert many[::-1] == one
    assert make(seed=6).generate_until(sampled) != one


def test_repeats_differ_and_equal_prompts_in_order_agree(loaded: HybridLM) -> None:
    request = generation("again", max_gen_toks=8, temperature=1.0)
    lm = loaded.with_strategy("slm-only")
    first, second = lm.generate_until([request, request])
    assert first != second
    assert lm.generate_until([request, request]) == [first, second]


def test_every_answer_is_cached_when_it_is_ready(
    loaded: HybridLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    lm = loaded.with_strategy("slm-only")
    monkeypatch.setattr(lm.cache_hook, "add_partial", lambda *item: kept.append(item))
    texts = lm.generate_until(REQUESTS)
    assert {(r[0], text) for _, r, text in kept} == {
        (request.args[0], text) for request, text in zip(REQUESTS, texts, strict=True)
    }
    assert {attribute for attribute, _, _ in kept} == {"generate_until"}


def test_no_room_for_a_prompt_is_refused_before_any_work(loaded: HybridLM) -> None:
    lm = loaded.with_strategy("slm-only")
    good = generation("fine", max_gen_toks=4)
    for size in (WINDOW, WINDOW + 1):
        with pytest.raises(RequestError) as error:
            lm.generate_until([good, generation("x", max_gen_toks=size)])
        assert f"max_gen_toks={size}: expected less than the window of {WINDOW}" in str(
            error.value
        )
    assert not lm.counts().tasks


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"max_gen_toks": -1}, "max_gen_toks=-1: expected 0 or more"),
        (
            {"max_gen_toks": 4, "tempratur": 1.0},
            "unknown generation argument 'tempratur'; did you mean 'temperature'?",
        ),
        ({"max_gen_toks": "many"}, "expected a number of tokens as max_gen_toks"),
        ({"max_gen_toks": 4, "temperature": "hot"}, "a number as temperature"),
        ({"max_gen_toks": 4, "max_length": "long"}, "invalid literal for int()"),
        ({"max_gen_toks": 4, "temperature": 1.0, "top_p": -1.0}, "`top_p` has to be"),
        ({"max_gen_toks": 4, "do_sample": True}, "expected a temperature above 0"),
        ({"max_gen_toks": 4, "num_beams": 3}, "generation mode 'beam_search'"),
        ({"max_gen_toks": 4, "num_return_sequences": 2}, "num_return_sequences"),
        ({"max_gen_toks": 4, "stop": ["a"]}, "stop=['a'] cannot be had here"),
        ({"max_gen_toks": 4, "streamer": object()}, "streamer=<object object at"),
        ({"max_gen_toks": 4, "assistant_model": "x"}, "name it as slm"),
        ({"until": [3], "max_gen_toks": 4}, "until=[3"),
        ({}, "max_gen_toks=256: expected less than the window"),
    ],
)
def test_bad_generation_arguments(
    loaded: HybridLM, kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError) as error:
        loaded.with_strategy("llm-only").generate_until([generation("x", **kwargs)])
    assert message in str(error.value)


def test_odd_prompts_warn_once_and_are_counted(
    loaded: HybridLM, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="hybridcore")
    lm = loaded.with_strategy("llm-only")
    texts = lm.generate_until(
        [
            generation("x" * 300, max_gen_toks=3),
            generation("y" * 300, max_gen_toks=3),
            generation("", max_gen_toks=3),
            generation("z", max_gen_toks=0),
        ]
    )
    total = lm.counts().tasks["t"]
    assert texts[3] == ""
    assert (total.truncated_prompts, total.empty_contexts) == (2, 1)
    assert total.zero_budget_requests == 1
    assert total.requests == 4
    assert [record.getMessage().split(" ")[0] for record in caplog.records] == [
        "2",
        "1",
        "1",
    ]


def test_prompts_are_read_as_hflm_reads_them(loaded: HybridLM) -> None:
    text = "".join(map(str, range(80)))
    prompt = prompt_of(loaded, text, {"max_gen_toks": 16, "until": "stop"})
    ids = loaded.tok_encode(text)
    assert list(prompt.tokens) == ids[-(WINDOW - 16) :]
    assert prompt.until == ("stop", "</s>")
    assert prompt.max_new_tokens == 16


def test_what_ends_an_answer() -> None:
    """The model's ids or the request's, and always the tokenizer's."""
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=[5, 6]))
    tokenizer = SimpleNamespace(eos_token_id=1)
    assert eos_ids(model, tokenizer, {}) == {1, 5, 6}
    assert eos_ids(model, tokenizer, {"eos_token_id": 9}) == {1, 9}
    model.generation_config.eos_token_id = None
    assert eos_ids(model, tokenizer, {}) == {1}


def test_the_small_model_keeps_its_own_generation_config(
    make: Callable[..., HybridLM], pair: dict[str, str], tmp_path: Path
) -> None:
    model = LlamaForCausalLM.from_pretrained(pair["slm"])
    model.generation_config.repetition_penalty = 2.5
    slm = save(tmp_path, model, byte_tokenizer())
    request = [generation("hello hello", max_gen_toks=12, until=["zzz"])]
    plain = make(strategy="slm-only").generate_until(request)
    hflm = HFLM(slm, device="cpu", dtype="float32")
    theirs = hflm.generate_until(request, disable_tqdm=True)
    assert make(slm=slm, strategy="slm-only").generate_until(request) == theirs != plain


def test_a_generation_config_that_changes_between_calls(
    pair: dict[str, str], loaded: HybridLM
) -> None:
    slm, llm = (LlamaForCausalLM.from_pretrained(pair[role]) for role in pair)
    lm = HybridLM(slm, llm, "speculative")
    request = [generation("hello hello", max_gen_toks=12, until=["zzz"])]
    before = lm.generate_until(request)
    llm.generation_config.repetition_penalty = 2.5
    theirs = HFLM(llm, tokenizer=lm.tokenizer).generate_until(request)
    assert lm.generate_until(request) == theirs != before
    # and one that says nothing about the prefix
    llm.generation_config.repetition_penalty = 1.0
    llm.generation_config.suppress_tokens = lm.tok_encode(before[0])
    theirs = HFLM(llm, tokenizer=lm.tokenizer).generate_until(request)
    assert lm.generate_until(request) == theirs != before


def test_a_failed_call_leaves_nothing_behind(
    loaded: HybridLM, expected: list[str]
) -> None:
    class Fails(Strategy):
        """Breaks in the middle of an answer."""

        @hookimpl
        def route_token(self, step: Step) -> Route:
            if len(step.tokens(0)) > 20:
                raise RuntimeError("planted")
            return Route.ask_above(torch.ones(len(step.pending)), 0.5)

    broken = loaded.with_strategy(Fails())
    with pytest.raises(Exception, match="planted"):
        broken.generate_until(REQUESTS, disable_tqdm=True)
    assert not loaded.pair.runners(), "their caches may be half written"
    lm = loaded.with_strategy("speculative")
    assert lm.generate_until(REQUESTS, disable_tqdm=True) == expected


def test_max_length_counts_the_prompt(loaded: HybridLM) -> None:
    prompt = prompt_of(loaded, "abcd", {"max_gen_toks": 16, "max_length": 10})
    assert prompt.max_new_tokens == 6


def test_the_seed_is_ours_or_torchs(make: Callable[..., HybridLM]) -> None:
    """lm_eval hands ``--seed`` to torch, before or after the model is made."""
    lm = make(strategy="slm-only")
    torch.manual_seed(11)
    assert lm.seed == 11
    assert make(strategy="slm-only", seed=3).seed == 3
