"""Bad input is one clear line; what is merely unusual is HFLM's behaviour, counted."""

import os
import subprocess
import sys

import pytest
import torch
from transformers import AutoTokenizer, T5Config

from hybridcore import HybridLM, Route, Strategy, hookimpl
from hybridcore.conformance.tiny import tiny_model
from hybridcore.demo import model_path, tasks_path
from hybridcore.errors import (
    CacheMismatch,
    HookError,
    ModelError,
    RequestError,
    VocabularyError,
)

LINE = {"device": "cpu", "dtype": "float32"}


def test_a_path_that_is_no_model(tmp_path, make_lm):
    with pytest.raises(ModelError) as error:
        make_lm(llm=str(tmp_path))
    assert f"llm={str(tmp_path)!r}: no model there" in str(error.value)


def test_an_encoder_decoder(tmp_path, make_lm):
    T5Config(vocab_size=32, d_model=16, num_layers=1).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is an encoder-decoder model"):
        make_lm(llm=str(tmp_path))


def test_tokenizers_that_differ(tmp_path, make_lm):
    tiny_model("llama", vocab_size=600).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(model_path("demo-llm"))
    tokenizer.add_tokens(["surprise"])
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(VocabularyError, match="token 'surprise' is 467 for the SLM"):
        make_lm(slm=str(tmp_path))


def test_a_wider_embedding_is_no_difference(tmp_path, make_lm, ask):
    tiny_model("llama", vocab_size=640).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(model_path("demo-llm")).save_pretrained(tmp_path)
    lm = make_lm(slm=str(tmp_path), strategy="speculative")
    request = [ask("generate_until", "Question: Ada", {"max_gen_toks": 8})]
    alone = lm.with_strategy("llm-only").generate_until(request)
    assert lm.generate_until(request) == alone


def test_a_budget_as_large_as_the_window(base, ask):
    fine = ask("generate_until", "Ada", {"until": ["."], "max_gen_toks": 4})
    bad = ask("generate_until", "Ada", {"until": ["."], "max_gen_toks": 2048})
    lm = base.with_strategy("llm-only")
    with pytest.raises(RequestError, match="max_gen_toks=2048: expected less than"):
        lm.generate_until([fine, bad])


def test_unknown_generation_arguments(base, ask):
    bad = ask("generate_until", "Ada", {"max_gen_toks": 4, "temprature": 1.0})
    with pytest.raises(RequestError, match="temprature"):
        base.with_strategy("llm-only").generate_until([bad])


class Wrong(Strategy):
    """Gives one verdict too few."""

    @hookimpl
    def route_token(self, step):
        return Route(step.pending[1:])


class NotANumber(Strategy):
    """Routes on NaN."""

    @hookimpl
    def route_token(self, step):
        return Route.ask_above(step.logits[:, 0] * float("nan"), 0.5)


class Unknown(Strategy):
    """Gives a verdict that there is not."""

    @hookimpl
    def route_token(self, step):
        return Route(torch.full_like(step.pending, 7))


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Wrong(), "strategy Wrong, route_token: verdict: expected shape"),
        (NotANumber(), "strategy NotANumber, route_token: signal: expected numbers"),
        (Unknown(), "strategy Unknown, route_token: verdict: expected KEEP, CHECK"),
    ],
)
def test_strategies_that_break_the_contract(base, ask, strategy, message):
    request = [ask("generate_until", "Ada", {"max_gen_toks": 4})]
    with pytest.raises(HookError) as error:
        base.with_strategy(strategy).generate_until(request)
    assert message.split(": expected")[0].split(", ")[0] in str(error.value)
    assert message.rpartition(": ")[2] in str(error.value)


def test_zero_budget_is_empty_text(base, ask):
    lm = base.with_strategy("speculative")
    request = [ask("generate_until", "Ada", {"until": ["."], "max_gen_toks": 0})]
    assert lm.generate_until(request) == [""]
    assert lm.counts().tasks["by_hand"].zero_budget_requests == 1


def test_finished_answers_outlive_an_error(base, ask):
    """A request that fails later does not take finished ones from the cache."""

    class FailsLater(Strategy):
        """Breaks on the second prompt only."""

        @hookimpl
        def route_token(self, step):
            if len(step.tokens(0)) < 6:
                raise ValueError("planted")
            return Route(step.pending * 0)

    kept = []

    class Hook:
        dbdict = None

        def add_partial(self, attribute, request, answer):
            kept.append((attribute, request, answer))

    lm = base.with_strategy(FailsLater())
    lm.cache_hook = Hook()
    lm.batch_size_per_gpu = 1
    requests = [
        ask("generate_until", "Question: Ada has 12 pens", {"max_gen_toks": 3}),
        ask("generate_until", "a", {"max_gen_toks": 3}),
    ]
    with pytest.raises(HookError, match="raised ValueError: planted"):
        lm.generate_until(requests)
    assert [request[0] for _, request, _ in kept] == ["Question: Ada has 12 pens"]


def test_a_cache_of_another_set_up(base, tmp_path):
    from lm_eval.api.model import CachingLM

    path = str(tmp_path / "cache.db")
    CachingLM(base.with_strategy("uncertainty", threshold=0.3), path)
    CachingLM(base.with_strategy("uncertainty", threshold=0.3), path)
    with pytest.raises(CacheMismatch) as error:
        CachingLM(base.with_strategy("uncertainty", threshold=0.4), path)
    assert "threshold': 0.3} there" in str(error.value)
    assert "name another file with --use_cache" in str(error.value)


def test_on_the_command_line_it_is_one_line_and_an_exit_code(tmp_path):
    line = [sys.executable, "-m", "lm_eval", "run", "--model", "hybrid"]
    line += ["--model_args", "slm=demo-slm,llm=demo-llm,strategy=entopy"]
    line += ["--include_path", str(tasks_path()), "--tasks", "hybrid_demo_choice"]
    done = subprocess.run(
        line, capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ)
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    tail = done.stderr.strip().splitlines()[-2:]
    assert tail[0] == "error: no strategy named 'entopy'; did you mean 'entropy'?"
    assert tail[1].startswith("installed: ")


def test_the_library_raises_exceptions():
    with pytest.raises(ModelError):
        HybridLM(slm="demo-slm", llm="nowhere/at-all", **LINE)
