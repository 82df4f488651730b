"""The page of counts, against the tally, the ledger, the trace and real runs."""

import dataclasses
import json
import re

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly, SlmOnly
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty
from lm_eval.api.instance import Instance

from hybridcore import HybridLM
from hybridcore.conformance.pair import TablePair
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.dispatch import Dispatcher
from hybridcore.harness.ledger import Ledger
from hybridcore.tally import Tally

RATIOS = {"accepted_per_pos", "activated_params_per_token"}


def test_counts(page):
    fields = [field.name for field in dataclasses.fields(Tally)]
    assert page("statistics").section("Counts").names() == fields


def test_ratios_and_times(page):
    text = page("statistics")
    said = Ledger({"task": Tally()}).as_dict(1, 1)
    counts = set(text.section("Counts").names())
    ratios = {row[0].strip("`") for row in text.section("Ratios").rows()}
    times = {row[0].strip("`") for row in text.section("Time").rows()}
    assert set(said["tasks"]["task"]) == counts | ratios
    assert set(said["total"]) == counts | ratios | times


def test_ratios_are_what_the_page_says(page):
    tally = Tally(tokens_out=8, tokens_from_llm=2, num_draft_tokens=9)
    tally.num_spec_steps, tally.num_accepted_draft_tokens = 3, 6
    said = tally.as_dict()
    rows = page("statistics").section("Ratios").rows()
    formulas = {
        n.strip("`"): f.strip("`") for n, f in rows if n.strip("`") not in RATIOS
    }
    assert len(formulas) == len(rows) - len(RATIOS)
    for name, formula in formulas.items():
        assert eval(formula, {}, said) == pytest.approx(said[name]), name


def runs():
    """Tallies of single rows under strategies of every kind, and their sums."""
    pair, law = TablePair.random(8, seed=3), WarpLaw(1.0)
    prompts = [[i % 8, (i * 3) % 8] for i in range(12)]
    for strategy in (SlmOnly(), LlmOnly(), Uncertainty(0.6), Speculative(3)):
        answers = pair.run(Dispatcher(strategy), prompts, 9, law=law, batch=4)
        tallies = [answer.tally for answer in answers]
        for tally in (*tallies, Tally.total(tallies)):
            yield strategy, tally.as_dict()


def test_identities_hold(page):
    blocks = page("statistics").section("Identities").blocks()
    all_kinds, held = (block.text.splitlines() for block in blocks)
    assert len(all_kinds) >= 9
    for strategy, counts in runs():
        for line in [*all_kinds, *(held if strategy.holds() else [])]:
            assert eval(line, dict(counts)), (strategy, line, counts)


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    torch.set_num_threads(1)
    file = tmp_path_factory.mktemp("trace") / "trace.jsonl"
    lm = HybridLM(
        "demo-slm", "demo-llm", device="cpu", scoring="strategy", trace=str(file)
    )
    arguments = {"until": ["\n"], "max_gen_toks": 4}
    prompt = "Question: Eva has 13 keys."
    lm.generate_until([Instance("generate_until", {}, (prompt, arguments), 0)])
    lm.loglikelihood([Instance("loglikelihood", {}, (prompt, " Eva"), 0)])
    info = lm.get_model_info()["hybrid"]
    return info, [json.loads(line) for line in file.read_text().splitlines()]


def test_the_set_up(page, traced):
    info, _ = traced
    assert set(page("statistics").section("The set-up").names()) >= set(info)
    rows = page("statistics").section("The set-up").rows()
    named = {name for row in rows for name in row[0].replace("`", "").split(", ")}
    assert named == set(info)


def test_the_trace(page, traced):
    fields = {"all lines": set(), "generation": set(), "scoring": set()}
    for names, where, _ in page("statistics").section("The trace").rows():
        fields[where] |= set(names.replace("`", "").split(", "))
    for line in traced[1]:
        assert set(line) == fields["all lines"] | fields[line["kind"]]
    assert [line["kind"] for line in traced[1]] == ["generation", "scoring"]
    (tokens,) = (
        row[2]
        for row in page("statistics").section("The trace").rows()
        if row[0] == "`tokens`"
    )
    assert {f"`{name}`" for name in traced[1][0]["tokens"][0]} <= set(
        re.findall(r"`\w+`", tokens)
    )
