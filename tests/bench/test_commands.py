"""Each benchmark from its command line, on the embedded pair."""

import json

import pytest
import torch

from hybridcore.cli import main
from hybridcore.models.compiled_steps import CompiledSteps

QUICK = ["--rounds", "1", "--limit", "2", "--threads", "1", "--batch-size", "2"]
HF = ["--peer-batch-sizes", "2"]


@pytest.fixture
def bench(tmp_path, capsys):
    """``bench(*arguments)``: exit code, what was printed, what was written."""

    def run(*arguments):
        file = tmp_path / "out.json"
        code = main(["bench", *arguments, "--json", str(file)])
        written = json.loads(file.read_text()) if file.exists() else None
        return code, capsys.readouterr(), written

    return run


def test_score(bench):
    tasks = ["--tasks", "hybrid_demo_choice,hybrid_demo_perplexity"]
    code, printed, data = bench("score", *QUICK, *HF, *tasks)
    assert (code, data["agreed"]) == (0, True)
    choice, perplexity = data["comparisons"]
    assert choice["kind"] == "loglikelihood"
    assert perplexity["kind"] == "loglikelihood_rolling"
    for comparison in (choice, perplexity):
        ours, hflm = comparison["lines"]
        # read by the models themselves: what a hook on their embedding saw
        assert ours["tokens_computed"]["llm"] == comparison["fewest tokens"]
        assert hflm["tokens_computed"]["llm"] > comparison["fewest tokens"]
        assert len(ours["seconds"]) == len(hflm["seconds"]) == 1
        assert ours["logits_bytes"] < hflm["logits_bytes"]
        assert 0 < ours["share_of_limit"] < 1
        assert comparison["searches"]["HFLM"]["best"] == hflm["batch_size"] == 2
    assert "HFLM" in printed.out
    assert "GFLOP/s" in printed.out


def test_generate(bench):
    code, _, data = bench("generate", *QUICK, *HF, "--max-gen-toks", "8")
    (comparison,) = data["comparisons"]
    ours, hflm = comparison["lines"]
    assert (code, comparison["agreements"][0]["texts"]) == (0, 0)
    assert ours["counts"]["tokens_out"] == comparison["tokens of the answers"]
    assert ours["calls"]["llm"] >= 8
    assert hflm["calls"]["llm"] == 8


def test_what_is_compiled_is_compiled_before_the_rounds(bench, monkeypatch):
    compiled = []

    def kept(traced, **options):
        compiled.append(traced)
        return traced

    monkeypatch.setattr(torch, "compile", kept)
    monkeypatch.setattr(CompiledSteps, "worth", 3)
    counts = []
    for rounds in ("1", "3"):
        compiled.clear()
        line = [*QUICK, *HF, "--max-gen-toks", "8", "--compile", "--rounds", rounds]
        code, printed, data = bench("generate", *line)
        assert (code, data["agreed"]) == (0, True)
        assert "Ours has compile=true" in printed.out
        counts.append(len(compiled))
    assert counts[0] == counts[1] > 0


def test_speculate(bench):
    code, printed, data = bench("speculate", *QUICK, "--max-gen-toks", "8")
    assert code == 0
    alone, batch = data["comparisons"]
    names = [line["side"] for line in alone["lines"]]
    assert names[:3] == ["ours, speculative", "ours, plain", "ours, adaptive"]
    assert names[3:] == ["generate", "assisted, 4 drafts", "assisted, defaults"]
    # transformers' assisted generation takes one row at a time
    assert len(batch["lines"]) == 4
    assert batch["lines"][2]["counts"]["num_plain_steps"] > 0
    assert "speed of adaptive in that of plain: " in printed.out
    assert alone["lines"][0]["counts"]["num_accepted_draft_tokens"] > 0
    assert "Drafts come from the SLM" in printed.out


def test_routing(bench):
    code, _, data = bench(
        "routing", *QUICK, "--batch-sizes", "1,2", "--max-gen-toks", "16"
    )
    (result,) = data["routing"]
    assert (code, result["texts_that_differ"]) == (0, 0)
    one, two = result["lines"]
    assert one["counts"]["tokens_out"] == two["counts"]["tokens_out"]
    assert two["llm_calls"] <= one["llm_calls"]


def test_overhead(bench):
    code, printed, data = bench("overhead", *QUICK, "--max-gen-toks", "8")
    assert code == 0
    assert {line["strategy"] for line in data["lines"]} == {
        "uncertainty",
        "entropy",
        "speculative",
    }
    for line in data["lines"]:
        assert 0 < line["layer_share"][0] < 1
        assert line["hook_calls"] > 0
    assert "plugin layer" in printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "--tasks", "hybrid_demo_choise"], "no task named"),
        (["score", "--tasks", "hybrid_demo_generation"], "expected loglikelihood"),
        (["generate", "--peer", "sglang"], "peer='sglang'"),
        (["score", "--peer", "vllm"], "--peer-python PATH"),
        (["speculate", "--draft", "none"], "draft='none'"),
        (["score", "--sampler", "best"], "sampler='best'"),
    ],
)
def test_what_cannot_be_measured_is_one_line(bench, arguments, message):
    code, printed, written = bench(*arguments, *QUICK)
    assert (code, written) == (1, None)
    assert message in printed.err
    assert "Traceback" not in printed.err
