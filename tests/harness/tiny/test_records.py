"""Counts by task, over processes; the table; the lines of a trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lm_eval.models.huggingface import HFLM

from hybridcore import HybridLM
from hybridcore.errors import ArgumentError
from hybridcore.harness import processes
from hybridcore.harness.ledger import Ledger
from hybridcore.harness.report import table
from hybridcore.harness.trace import Trace
from hybridcore.scoring import Score
from hybridcore.tally import Tally

from .conftest import generation, likelihood, rolling

MIXED = [generation(f"p{i}", "ab"[i % 2], i, max_gen_toks=3 + i) for i in range(5)]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_tasks_are_counted_apart(loaded: HybridLM) -> None:
    lm = loaded.with_strategy("slm-only")
    lm.generate_until(MIXED)
    lm.loglikelihood([likelihood("x", "y", "c")])
    tasks = lm.counts().tasks
    assert {name: tally.requests for name, tally in tasks.items()} == {
        "a": 3,
        "b": 2,
        "c": 1,
    }
    assert tasks["a"].llm_requests_skipped == 3
    total = lm.get_model_info()["hybrid"]["total"]
    assert total["tokens_out"] == sum(t.tokens_out for t in tasks.values())
    assert total["wall_s"] == pytest.approx(total["generation_s"] + total["scoring_s"])
    assert total["tokens_per_s"] == total["tokens_out"] / total["generation_s"]


def test_info_names_models_and_runners(loaded: HybridLM, pair: dict[str, str]) -> None:
    lm = loaded.with_strategy("speculative", num_drafts=3)
    lm.generate_until(MIXED)
    info = lm.get_model_info()
    json.dumps(info["hybrid"])
    hybrid = info["hybrid"]
    assert hybrid["strategy"] == "speculative"
    assert hybrid["options"] == {"num_drafts": 3}
    for role in ("slm", "llm"):
        assert hybrid[role]["model"] == pair[role]
        assert hybrid[role]["runner"] == "slots"
    assert info["model_num_parameters"] == sum(p.numel() for p in lm.model.parameters())


def test_the_hub_is_not_asked_about_folders(
    loaded: HybridLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("network")

    monkeypatch.setattr("lm_eval.models.huggingface.HfApi", asked)
    assert loaded.get_model_info()["model_sha"] == ""


def test_the_table_has_a_line_for_each_task(loaded: HybridLM) -> None:
    lm = loaded.with_strategy("slm-only")
    lm.generate_until(MIXED)
    title, head, *body = table(lm.get_model_info()["hybrid"]).splitlines()
    assert title.startswith("hybrid: slm-only, scoring=llm, ")
    assert [row.split()[0] for row in body] == ["a", "b", "all"]
    assert "0.0 %" in body[0]
    assert "LLM share" in head
    lm = loaded.with_strategy("llm-only")
    lm.generate_until(MIXED)
    assert "  100.0 %" in table(lm.get_model_info()["hybrid"])


def test_lm_eval_prints_the_table_library_users_do_not(
    loaded: HybridLM, pair: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    lm = loaded.with_strategy("slm-only")
    lm.generate_until(MIXED, disable_tqdm=True)
    capsys.readouterr()
    lm.get_model_info()
    assert capsys.readouterr().err == ""
    arguments = {**pair, "device": "cpu", "strategy": "slm-only"}
    made = HybridLM.create_from_arg_obj(arguments, {"batch_size": 1, "device": None})
    assert made.get_model_info()
    assert "hybrid:" not in capsys.readouterr().err
    made.generate_until(MIXED, disable_tqdm=True)
    capsys.readouterr()
    made.get_model_info()
    assert "hybrid: slm-only" in capsys.readouterr().err


def test_argument_strings(pair: dict[str, str]) -> None:
    text = f"slm={pair['slm']},llm={pair['llm']},strategy=entropy,threshold=1.5"
    lm = HybridLM.create_from_arg_string(
        text + ",batch_size=3,device=cpu", {"batch_size": 1, "device": "cuda:0"}
    )
    assert lm.batch_size == 3
    assert str(lm.device) == "cpu"
    assert lm.strategy.options() == {"threshold": 1.5}


def test_ledgers_of_processes_are_summed(
    loaded: HybridLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = loaded.with_strategy("slm-only")
    lm.generate_until(MIXED)
    other = Ledger(
        {"a": Tally(requests=2, tokens_out=7), "z": Tally(requests=1)}, 1e6, 0.0, 5
    )
    before = lm.counts().tasks["a"].requests
    monkeypatch.setattr(HFLM, "gather_object", lambda self, own: [own, other])
    lm.barrier()
    counts = lm.counts()
    assert counts.tasks["a"].requests == before + 2
    assert counts.tasks["z"].requests == 1
    # processes run at the same time
    assert counts.generation_s == 1e6
    assert counts.cached == 5
    assert lm.recorder.ledger.tasks["a"].requests == before


def test_padding_of_the_evaluator_is_not_counted(loaded: HybridLM) -> None:
    lm = loaded.with_strategy("slm-only")
    lm._world_size = 2
    texts = lm.generate_until([*MIXED, MIXED[-1], MIXED[-1]])
    assert texts[5:] == [texts[4]] * 2
    assert sum(t.requests for t in lm.counts().tasks.values()) == len(MIXED)


def test_trace_of_scores(make: Callable[..., HybridLM], tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    lm = make(strategy="entropy", scoring="strategy", trace=str(path))
    ((value, greedy),) = lm.loglikelihood([likelihood("abc", " def", doc=4)])
    (total,) = lm.loglikelihood_rolling([rolling("ab" * 80, "r")])
    one, text = lines(path)
    assert (one["task"], one["doc_id"], one["kind"]) == ("t", 4, "scoring")
    assert (one["strategy"], one["options"]) == ("entropy", {"threshold": 2.0})
    assert (one["log_likelihood"], one["is_greedy"]) == (value, greedy)
    ((part),) = one["parts"]
    for signal, asked in zip(part["signals"], part["from_llm"], strict=True):
        assert (signal > 2.0) == asked
    assert text["log_likelihood"] == total
    assert [len(part["from_llm"]) for part in text["parts"]] == [96, 64]
    assert text["tally"]["requests"] == 1


def test_a_text_ran_the_llm_where_one_of_its_windows_did(loaded: HybridLM) -> None:
    recorder = loaded.with_strategy("slm-only").recorder
    parts = [
        Score(-1.0, True, Tally(requests=1, llm_requests_skipped=n)) for n in (0, 1)
    ]
    recorder.scores(rolling("x", "some"), parts, empty=False)
    recorder.scores(rolling("x", "none"), parts[1:] * 2, empty=False)
    tasks = recorder.ledger.tasks
    assert (tasks["some"].requests, tasks["some"].llm_requests_skipped) == (1, 0)
    assert (tasks["none"].requests, tasks["none"].llm_requests_skipped) == (1, 1)


def test_lines_are_there_before_the_run_ends(
    make: Callable[..., HybridLM], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trace.jsonl"
    lm = make(strategy="slm-only", trace=str(path))
    seen: list[int] = []
    answer = lm.recorder.answer

    def spy(*args: Any) -> None:
        answer(*args)
        seen.append(len(lines(path)))

    monkeypatch.setattr(lm.recorder, "answer", spy)
    lm.generate_until(MIXED)
    assert seen == [1, 2, 3, 4, 5]
    assert {line["doc_id"] for line in lines(path)} == set(range(5))


def test_a_trace_that_cannot_be_written_is_refused_before_loading(
    make: Callable[..., HybridLM], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="cannot be written"):
        make(trace=str(tmp_path / "file" / "trace.jsonl"), llm="/no/such")


def test_each_process_has_its_own_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert Trace(str(tmp_path / "a.jsonl")).path.name == "a_rank1.jsonl"
    assert not processes.is_main()
