"""``Hybrid`` and ``hybridlm generate``, beside transformers and lm_eval's HFLM."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from rich.console import Console
from transformers import AutoModelForCausalLM, AutoTokenizer

from hybridcore import Hybrid
from hybridcore.cli import generate, main
from hybridcore.completion import Completion, Token
from hybridcore.demo import model_path
from hybridcore.errors import RequestError, StrategyError

PROMPTS = [
    "Question: Eva has 13 keys. Pia gets 4 keys from Eva. How many keys has Eva?\n"
    "Solution:",
    "Question: Tom starts with 20 pens. Tom finds 41 pens. How many pens has Tom?\n"
    "Solution:",
]
PAIRS = [
    (PROMPTS[0], " Eva has 13. Eva gives 4: 13-4=9.\nAnswer: 9"),
    (PROMPTS[1], " Tom"),
]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def base() -> Hybrid:
    return Hybrid(
        "demo-slm", "demo-llm", "llm-only", device="cpu", dtype="float32", batch_size=2
    )


@pytest.fixture(scope="module")
def reference():
    path = model_path("demo-llm")
    model = AutoModelForCausalLM.from_pretrained(path).float()
    return model, AutoTokenizer.from_pretrained(path)


def test_the_llm_alone_says_what_generate_says(base: Hybrid, reference) -> None:
    model, tokenizer = reference
    for prompt, answer in zip(PROMPTS, base.generate(PROMPTS, 40), strict=True):
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        theirs = model.generate(ids, max_new_tokens=40, do_sample=False)[
            0, ids.shape[1] :
        ]
        assert [token.id for token in answer.tokens] == theirs.tolist()
        assert answer.text == tokenizer.decode(theirs, skip_special_tokens=True)
        assert "".join(token.text for token in answer.tokens) == answer.text
        ended = theirs[-1] == tokenizer.eos_token_id
        assert answer.finish == ("eos" if ended else "length")
        assert (answer.prompt, answer.llm_share) == (prompt, 1.0)


def test_every_token_says_who_chose_it(base: Hybrid) -> None:
    routed = base.with_strategy("entropy", threshold=0.3)
    for answer in routed.generate(PROMPTS, 40):
        by_llm = [token.model == "llm" for token in answer.tokens]
        assert by_llm == [token.signal > 0.3 for token in answer.tokens]
        assert sum(by_llm) == answer.counts["tokens_from_llm"]
        assert answer.llm_share == sum(by_llm) / len(by_llm)
        assert 0 < sum(by_llm) < len(by_llm)
        assert all(token.accepted is token.replaced is None for token in answer.tokens)


def test_drafts_say_what_became_of_them(base: Hybrid) -> None:
    (answer,) = base.with_strategy("speculative").generate(PROMPTS[0], 40)
    assert answer.text == base.generate(PROMPTS[0], 40)[0].text
    accepted = [token for token in answer.tokens if token.accepted]
    assert len(accepted) == answer.counts["num_accepted_draft_tokens"] > 0
    replaced = [token for token in answer.tokens if token.replaced is not None]
    assert all(token.replaced != token.text for token in replaced)
    assert replaced


def test_tokens_are_told_when_they_come(base: Hybrid) -> None:
    told: list[tuple[int, Token]] = []
    routed = base.with_strategy("entropy", threshold=0.3)
    answers = routed.generate(
        PROMPTS, 40, on_token=lambda i, token: told.append((i, token))
    )
    for i, answer in enumerate(answers):
        assert tuple(token for index, token in told if index == i) == answer.tokens
    # rows in flight together are told of in turn, not one after the other
    assert [index for index, _ in told] != sorted(index for index, _ in told)


def test_stop_strings_end_an_answer_and_are_not_in_it(base: Hybrid) -> None:
    (answer,) = base.generate(PROMPTS[0], 40, stop="gives")
    assert answer.finish == "stop"
    assert answer.text.endswith("Eva ")
    assert "".join(token.text for token in answer.tokens) == answer.text + "gives"


def seeded(hybrid: Hybrid, seed: int, strategy: str = "llm-only", **options) -> Hybrid:
    """What ``Hybrid(..., seed=seed)`` loads, with models that are loaded already."""
    other = hybrid.with_strategy(strategy, **options)
    other.lm.given = dataclasses.replace(other.lm.given, seed=seed)
    return other


def test_sampling_follows_the_seed(base: Hybrid) -> None:
    settings = {"do_sample": True, "temperature": 3.0}
    texts = [
        [answer.text for answer in lm.generate(PROMPTS, 20, **settings)]
        for lm in (seeded(base, 1), seeded(base, 1), seeded(base, 2))
    ]
    assert texts[0] == texts[1]
    assert texts[0][0] != texts[2][0]
    assert texts[0][0] != base.generate(PROMPTS[0], 20)[0].text


def test_nothing_asked_is_nothing_answered(base: Hybrid) -> None:
    assert base.generate([]) == base.score([]) == []


def test_bad_arguments_are_refused(base: Hybrid) -> None:
    with pytest.raises(RequestError, match="num_beams"):
        base.generate("x", 5, num_beams=4)
    with pytest.raises(RequestError, match="max_gen_toks=-1"):
        base.generate("x", -1)
    # and what was there before still answers
    assert base.generate(PROMPTS[0], 1)[0].counts["tokens_out"] == 1


def test_scores_of_the_llm_are_those_of_hflm(base: Hybrid) -> None:
    hflm = HFLM(str(model_path("demo-llm")), device="cpu", dtype="float32")
    pairs = [*PAIRS, ("", "Question: Eva")]
    requests = [Instance("loglikelihood", {}, pair, 0, ("t", 0, 1)) for pair in pairs]
    theirs = hflm.loglikelihood(requests, disable_tqdm=True)
    for mine, (value, greedy) in zip(base.score(pairs), theirs, strict=True):
        assert mine.log_likelihood == pytest.approx(value, abs=1e-3)
        assert mine.is_greedy == greedy
        assert mine.llm_share == 1.0
        assert "".join(token.text for token in mine.tokens) == mine.text


def test_scores_of_a_strategy_say_whose_law_it_was(base: Hybrid) -> None:
    routed = base.with_strategy("entropy", threshold=0.3)
    llm, slm, mixed = (
        one.score(PAIRS[:1])[0]
        for one in (base, base.with_strategy("slm-only"), routed)
    )
    by_llm = [token.model == "llm" for token in mixed.tokens]
    assert by_llm == [token.signal > 0.3 for token in mixed.tokens]
    assert mixed.llm_share == sum(by_llm) / len(by_llm)
    assert mixed.counts["scored_from_llm"] == sum(by_llm)
    assert len({llm.log_likelihood, slm.log_likelihood, mixed.log_likelihood}) == 3
    again = routed.score(PAIRS[:1], scoring="llm")[0]
    assert again.log_likelihood == pytest.approx(llm.log_likelihood, abs=1e-4)


def test_what_has_no_law_is_refused(base: Hybrid) -> None:
    from hybridcore.experiment.oracle import Oracle

    assert base.with_strategy(Oracle()).score(PAIRS)[0].llm_share is None

    class Held(Oracle):
        score = None

    with pytest.raises(StrategyError, match="cannot be scored"):
        base.with_strategy(Held()).score(PAIRS)


ANSWER = Completion(
    "p",
    "ab",
    (),
    "eos",
    {
        "tokens_out": 8,
        "tokens_from_llm": 2,
        "llm_token_fraction": 0.25,
        "num_draft_tokens": 5,
        "num_accepted_draft_tokens": 4,
        "llm_forwards": 3,
    },
)


def printed(terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, color_system="standard")
    printer = generate.Printer(console)
    for token in (
        Token(1, " a", "slm"),
        Token(2, "[b]", "slm", accepted=True),
        Token(3, "\x1b[2J", "llm"),
        Token(4, "d\n", "llm", replaced="e"),
    ):
        printer.token(0, token)
    printer.answer(ANSWER, 2.0)
    return text.getvalue()


def test_a_terminal_shows_each_model_in_its_colour(capsys) -> None:
    text = printed(terminal=True)
    legend, body = text.split("\n", 1)
    for name in generate.STYLES:
        assert name in legend
    assert (
        "\x1b[32m a\x1b[0m\x1b[36m[b]\x1b[0m\x1b[1;33m\\x1b[2J\x1b[0m\x1b[1;35md"
        in body
    )
    assert "8 tokens, 2 by the LLM (25.0 %), 4 of 5 drafts accepted" in text
    assert "4 tokens/s; ended by eos" in text


def test_elsewhere_the_text_stands_alone(capsys) -> None:
    assert printed(terminal=False) == ""
    said = capsys.readouterr()
    assert said.out == "ab\n"
    assert said.err.startswith("8 tokens, 2 by the LLM")


@pytest.fixture
def command(base: Hybrid, monkeypatch, capsys):
    def made(strategy="uncertainty", *, seed, **given):
        loading = ("batch_size", "slm", "llm")
        options = {name: v for name, v in given.items() if name not in loading}
        return seeded(base, seed, strategy, **options)

    monkeypatch.setattr(generate, "Hybrid", made)

    def run(*arguments: str) -> str:
        assert main(["generate", *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_the_command_answers_as_a_program_reads_it(command, base: Hybrid) -> None:
    line = [
        *PROMPTS,
        "--json",
        "--max-new-tokens",
        "30",
        "--strategy",
        "entropy:threshold=0.3",
    ]
    said = json.loads(command(*line))
    for mine, theirs in zip(
        said,
        base.with_strategy("entropy", threshold=0.3).generate(PROMPTS, 30),
        strict=True,
    ):
        assert mine["text"] == theirs.text
        assert mine["llm_share"] == theirs.llm_share
        assert [t["model"] for t in mine["tokens"]] == [t.model for t in theirs.tokens]


def test_the_command_reads_standard_input(command, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(PROMPTS[0]))
    line = ["--strategy", "llm-only", "--stop", "gives", "--stop", "xyz"]
    shown = command("-", *line, "--temperature", "0.0001")
    assert shown == " Eva has 13. Eva \n"


def test_the_command_samples_by_its_seed(command, base: Hybrid) -> None:
    line = [PROMPTS[0], "--json", "--max-new-tokens", "20", "--strategy", "llm-only"]
    line += ["--temperature", "3"]
    said = [
        json.loads(command(*line, "--seed", str(seed)))[0]["text"] for seed in (1, 2)
    ]
    settings = {"do_sample": True, "temperature": 3.0}
    for seed, text in zip((1, 2), said, strict=True):
        assert text == seeded(base, seed).generate(PROMPTS[0], 20, **settings)[0].text
    assert said[0] != said[1]


def test_the_command_refuses_a_second_strategy(command, capsys) -> None:
    assert main(["generate", "x", "--strategy", "entropy,uncertainty"]) == 1
    said = capsys.readouterr().err
    assert "strategy 'entropy,uncertainty': expected one, got 2" in said
