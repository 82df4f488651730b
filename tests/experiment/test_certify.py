"""``hybridlm certify``: texts that part at nothing, at a tie, at a real difference."""

from __future__ import annotations

import json
import math

import pytest
import torch
from lm_eval.api.instance import Instance

from hybridcore import HybridLM, Route, Strategy, Verdict, hookimpl
from hybridcore.cli import certify as command
from hybridcore.errors import ArgumentError, StrategyError
from hybridcore.experiment import certificate
from hybridcore.experiment.certificate import Certificate, Divergence, certify

GREEDY = {"max_gen_toks": 30, "until": ["\n\n"], "do_sample": False, "temperature": 0.0}
PROMPTS = [
    "Question: Eva has 13 keys. Pia gets 4 keys from Eva. How many keys has Eva?\n"
    "Solution:",
    "Question: Tom starts with 20 pens. Tom finds 41 pens. How many pens has Tom?\n"
    "Solution:",
]


class Liar(Strategy):
    """Claims to be lossless, and takes the LLM's second choice as its fifth token."""

    lossless = True

    @hookimpl
    def route_token(self, step):
        return Route.check_at(step, 4)

    @hookimpl
    def verify(self, block):
        law = block.p[:, 0].clone()
        for i, asked in enumerate(block.states):
            if asked["calls"] == 4:
                law[i] = 0
                law[i, block.p_logits[i, 0].topk(2).indices[1]] = 1
            asked["calls"] += 1
        return Verdict(torch.zeros_like(block.length), law)

    @hookimpl
    def start(self, request):
        return {"calls": 0}


@pytest.fixture
def requests():
    return [
        Instance("generate_until", {}, (text, dict(GREEDY)), i)
        for i, text in enumerate(PROMPTS)
    ]


def test_what_is_lossless_says_what_the_llm_says(pair: HybridLM, requests) -> None:
    found = certify(pair.with_strategy("speculative"), requests)
    alone = pair.with_strategy("llm-only")
    alone.generate_until(requests, disable_tqdm=True)
    tokens = alone.counts().tasks["(no task)"].tokens_out
    assert found == Certificate(2, tokens, ())
    assert found.holds


def test_what_is_not_is_found_where_it_is(pair: HybridLM, requests) -> None:
    found = certify(pair.with_strategy(Liar()), requests)
    assert not found.holds
    assert [one.position for one in found.divergences] == [4, 4]
    for one, text in zip(found.divergences, PROMPTS, strict=True):
        ids = pair.tok_encode(text)
        answer = pair.model.generate(
            torch.tensor([ids]), max_new_tokens=5, do_sample=False
        )[0]
        logits = pair.model(answer[None, :-1]).logits[0, -1]
        best = logits.topk(2)
        assert [one.expected, one.got] == best.indices.tolist()
        margin = (best.values[0] - best.values[1]).item()
        assert one.margin == pytest.approx(margin, abs=1e-3)
        assert not one.tie
        # far below what separates two tokens, in float32
        assert 0 < one.tolerance < 1e-3


def test_a_margin_within_the_tolerance_is_a_tie(pair: HybridLM, requests) -> None:
    found = certify(pair.with_strategy(Liar()), requests, tolerance=100.0)
    assert all(one.tie for one in found.divergences)
    assert found.holds


class Perturbed:
    """The pair's runner of the LLM, whose logits are off wherever it reads."""

    def __init__(self, runner, noise: float) -> None:
        self._runner, self._noise = runner, noise

    def __getattr__(self, name):
        return getattr(self._runner, name)

    def forward(self, feeds):
        logits = self._runner.forward(feeds).clone()
        logits[:, ::2] += self._noise
        return logits


def test_a_broken_runner_makes_no_ties(pair: HybridLM, requests, monkeypatch) -> None:
    sound = certificate._read_in_pieces
    noise = 20.0

    def broken(lm, ids):
        runner = Perturbed(lm.pair.runner("llm", 1), noise)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lm.pair, "runner", lambda role, slots: runner)
            return sound(lm, ids)

    monkeypatch.setattr(certificate, "_read_in_pieces", broken)
    found = certify(pair.with_strategy(Liar()), requests)
    assert len(found.divergences) == 2
    for one in found.divergences:
        # by the tolerance alone it would be a tie
        assert abs(one.margin) < one.tolerance
        assert one.spread == pytest.approx(noise, abs=1e-3)
        assert 0 < one.explained < 1e-2
        assert not one.sound
        assert not one.tie
    assert not found.holds
    # who gives a tolerance has decided
    assert certify(pair.with_strategy(Liar()), requests, tolerance=100.0).holds


def test_half_precision_is_granted_more(pair: HybridLM, requests) -> None:
    float32 = certify(pair.with_strategy(Liar()), requests).divergences[0].tolerance
    half = HybridLM(
        "demo-slm", "demo-llm", Liar(), device="cpu", dtype="bfloat16", batch_size=2
    )
    found = certify(half, requests).divergences[0]
    assert 100 * float32 < found.tolerance < 2
    assert found.sound


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
def test_a_tolerance_is_a_margin(pair: HybridLM, tolerance) -> None:
    with pytest.raises(ArgumentError, match="expected a margin in nats, 0 or more"):
        certify(pair.with_strategy(Liar()), [], tolerance=tolerance)


def test_an_answer_that_ends_early_is_no_tie() -> None:
    assert not Divergence(0, 3, 5, None, None, 1e9).tie


def test_who_promises_nothing_is_not_checked(pair: HybridLM, requests) -> None:
    with pytest.raises(StrategyError, match="entropy does not claim to be lossless"):
        certify(pair.with_strategy("entropy"), requests)


@pytest.fixture
def hybridlm_certify(hybridlm, pair: HybridLM, monkeypatch):
    """Run the command with models that are loaded already."""

    def run(*line: str, strategy: Strategy | str = "speculative"):
        monkeypatch.setattr(
            command, "HybridLM", lambda **given: pair.with_strategy(strategy)
        )
        return hybridlm("certify", *line)

    return run


def test_the_exit_code_says_it(hybridlm_certify) -> None:
    line = ["--prompt", PROMPTS[0], "--prompt", PROMPTS[1], "--max-new-tokens", "8"]
    code, out, err = hybridlm_certify(*line)
    assert (code, err) == (0, "")
    assert (
        out == "speculative, 2 prompts, 16 tokens: the LLM's texts, token for token\n"
    )
    code, out, _ = hybridlm_certify(*line, strategy=Liar())
    assert code == 1
    assert "prompt 1, token 4: the LLM says " in out
    assert out.endswith("2 texts part, 0 of them at a tie: not lossless\n")
    code, out, _ = hybridlm_certify(
        *line, "--tolerance", "99", "--json", strategy=Liar()
    )
    said = json.loads(out)
    assert (code, said["holds"], len(said["divergences"])) == (0, True, 2)
    assert said["divergences"][0]["tie"]


def test_the_prompts_of_tasks_are_asked(hybridlm_certify) -> None:
    line = ["--tasks", "hybrid_demo_generation", "--limit", "2"]
    code, out, _ = hybridlm_certify(*line, "--gen-kwargs", "max_gen_toks=5")
    assert code == 0
    assert out.startswith("speculative, 2 prompts, 10 tokens")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--strategy", "entropy"], "entropy does not claim to be lossless"),
        (["--tasks", "hybrid_demo_choice"], "'hybrid_demo_choice' asks for no text"),
        (["--strategy", "speculative:num_draft=2"], "did you mean 'num_drafts'?"),
        (["--tolerance", "-1"], "tolerance=-1.0: expected a margin in nats"),
        (["--tolerance", "nan"], "tolerance=nan: expected a margin in nats"),
    ],
)
def test_bad_input(hybridlm, monkeypatch, line, message) -> None:
    monkeypatch.setattr(command, "HybridLM", None)
    code, _, err = hybridlm("certify", *line)
    assert code == 1
    assert message in err
