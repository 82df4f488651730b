"""The oracle against the two models alone, read by transformers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hybridcore.demo import model_path
from hybridcore.report.metric import Metrics
from hybridcore.report.notes import Notes
from hybridcore.report.run_directory import read_run_directory

GENERATION, CHOICE = "hybrid_demo_generation", "hybrid_demo_choice"


@pytest.fixture
def run(hybridlm, tmp_path: Path) -> Path:
    path = tmp_path / "run"
    line = ["compare", "--strategies", "llm-only", "--limit", "3", "--resamples", "100"]
    code, _, _ = hybridlm(*line, "--output", str(path))
    assert code == 0
    return path / "cells"


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def argmaxes(name: str, ids: list[int]) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(model_path(name)).float()
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].argmax(-1)


def laws(name: str, ids: list[int]) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(model_path(name)).float()
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].log_softmax(-1)


def test_it_gives_the_llms_text_with_the_tokens_that_differ(run: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_path("demo-llm"))
    prompts = {
        s["doc_id"]: s["arguments"]["gen_args_0"]["arg_0"]
        for s in lines(run / "oracle" / f"samples_{GENERATION}.jsonl")
    }
    alone = {
        t["doc_id"]: [token["id"] for token in t["tokens"]]
        for t in lines(run / "llm-only" / "trace.jsonl")
        if t["task"] == GENERATION
    }
    seen = 0
    for trace in lines(run / "oracle" / "trace.jsonl"):
        if trace["task"] != GENERATION:
            continue
        ids = [token["id"] for token in trace["tokens"]]
        assert ids == alone[trace["doc_id"]]
        prompt = tokenizer(prompts[trace["doc_id"]])["input_ids"]
        assert len(prompt) == trace["prompt_tokens"]
        said = argmaxes("demo-slm", prompt + ids)[len(prompt) - 1 : -1].tolist()
        differs = [a != b for a, b in zip(said, ids, strict=True)]
        assert [token["model"] == "llm" for token in trace["tokens"]] == differs
        seen += sum(differs)
    assert seen > 0


def reported_without_summary(path: Path) -> float:
    (path / "summary.json").unlink()
    read = read_run_directory(path, Metrics(None, Notes()))
    (found,) = [c.tasks[GENERATION] for c in read.cells if c.role == "oracle"]
    return found.share.value


def test_its_share_leaves_out_the_token_that_ends_the_budget(
    hybridlm, tmp_path: Path
) -> None:
    budget, path = 5, tmp_path / "short"
    line = ["compare", "--strategies", "llm-only", "--tasks", GENERATION]
    line += ["--limit", "4", "--gen-kwargs", f"max_gen_toks={budget}"]
    code, out, _ = hybridlm(*line, "--output", str(path), "--json")
    assert code == 0
    tokenizer = AutoTokenizer.from_pretrained(model_path("demo-llm"))
    cell = path / "cells" / "oracle"
    prompts = {
        s["doc_id"]: s["arguments"]["gen_args_0"]["arg_0"]
        for s in lines(cell / f"samples_{GENERATION}.jsonl")
    }
    differs, ends = [], []
    for trace in lines(cell / "trace.jsonl"):
        ids = [token["id"] for token in trace["tokens"]]
        assert len(ids) == budget
        assert trace["tokens"][-1]["model"] == "llm"
        prompt = tokenizer(prompts[trace["doc_id"]])["input_ids"]
        slm, llm = (
            argmaxes(name, prompt + ids)[len(prompt) - 1 : -1]
            for name in ("demo-slm", "demo-llm")
        )
        assert llm.tolist() == ids
        found = (slm != llm).tolist()
        differs += found[:-1]
        ends.append(found[-1])
    rows = {row["cell"]: row for row in json.loads(out)["rows"]}
    share = rows["oracle"]["llm_share"]
    assert share == pytest.approx(sum(differs) / len(differs))
    assert reported_without_summary(path) == pytest.approx(share)
    # counted as the LLM's, the last tokens would say something else
    assert not all(ends)
    counts = json.loads((cell / "results.json").read_text())["config"]["hybrid"]
    total = counts["total"]
    assert total["tokens_from_llm"] / total["tokens_out"] > share


def test_its_scores_take_p_where_the_argmaxes_differ(run: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_path("demo-llm"))
    sample = lines(run / "oracle" / f"samples_{CHOICE}.jsonl")[0]
    context, text = sample["arguments"]["gen_args_1"].values()
    start = len(tokenizer(context)["input_ids"])
    ids = tokenizer(context + text)["input_ids"]
    q, p = laws("demo-slm", ids), laws("demo-llm", ids)
    expected, asked = 0.0, 0
    for i in range(start - 1, len(ids) - 1):
        differ = q[i].argmax() != p[i].argmax()
        asked += int(differ)
        expected += float((p if differ else q)[i, ids[i + 1]])
    assert float(sample["resps"][1][0][0]) == pytest.approx(expected, abs=1e-3)
    traces = [t for t in lines(run / "oracle" / "trace.jsonl") if t["task"] == CHOICE]
    counts = [t["tally"]["scored_from_llm"] for t in traces if t["doc_id"] == 0]
    assert asked > 0
    assert counts[1] == asked
