"""What is counted reaches the user: results, table, trace; models are shared."""

import json
import subprocess
import sys

import pytest

from hybridcore.demo import tasks_path

GENERATION, CHOICE = "hybrid_demo_generation", "hybrid_demo_choice"


@pytest.fixture
def requests(ask):
    prompts = [
        json.loads(line)["prompt"]
        for line in (tasks_path().parent / "data" / "generation.jsonl")
        .read_text()
        .splitlines()[:6]
    ]
    return [
        ask("generate_until", p, {"until": ["\n\n"], "max_gen_toks": 60}, document=i)
        for i, p in enumerate(prompts)
    ]


@pytest.mark.parametrize("strategy", ["uncertainty", "speculative", "llm-only"])
def test_info_is_json_and_its_identities_hold(base, requests, strategy):
    lm = base.with_strategy(strategy)
    lm.generate_until(requests)
    info = json.loads(json.dumps(lm.get_model_info()["hybrid"]))
    total = info["total"]
    assert total["requests"] == len(requests)
    assert total["tokens_from_slm"] + total["tokens_from_llm"] == total["tokens_out"]
    histogram = total["acceptance_histogram"]
    assert sum(histogram) == total["num_spec_steps"]
    weighted = sum(i * n for i, n in enumerate(histogram))
    assert weighted == total["num_accepted_draft_tokens"]
    assert info["tasks"]["by_hand"]["tokens_out"] == total["tokens_out"]
    cost = (info["slm"] or {}).get("active_parameters", 0) * total[
        "slm_tokens_processed"
    ] + info["llm"]["active_parameters"] * total["llm_tokens_processed"]
    assert total["activated_params_per_token"] == pytest.approx(
        cost / total["tokens_out"]
    )
    assert total["tokens_per_s"] > 0


def test_strategies_share_models_and_count_apart(base, requests):
    one, two = base.with_strategy("llm-only"), base.with_strategy("speculative")
    assert one.model is two.model is base.model
    one.generate_until(requests)
    assert one.counts().tasks["by_hand"].requests == 6
    assert not two.counts().tasks
    assert one.pair.runner("llm", 4) is two.pair.runner("llm", 4)


def test_trace(make_lm, requests, ask, tmp_path):
    path = tmp_path / "deep" / "trace.jsonl"
    lm = make_lm(strategy="speculative", trace=str(path), scoring="strategy")
    texts = lm.generate_until(requests)
    lm.loglikelihood([ask("loglikelihood", "Ada has", " 12")])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    by_document = {x["doc_id"]: x for x in lines if x["kind"] == "generation"}
    assert [by_document[i]["text"] for i in range(6)] == texts
    for line in by_document.values():
        counts = line["tally"]
        assert len(line["tokens"]) == counts["tokens_out"]
        from_llm = sum(t["model"] == "llm" for t in line["tokens"])
        assert from_llm == counts["tokens_from_llm"]
        accepted = sum(t["accepted"] is True for t in line["tokens"])
        assert accepted == counts["num_accepted_draft_tokens"]
        replaced = [t for t in line["tokens"] if t["rejected"] is not None]
        assert all(t["model"] == "llm" and t["accepted"] is False for t in replaced)
    assert [x["kind"] for x in lines].count("scoring") == 1


def test_signals_are_in_the_trace_and_replay_any_threshold(make_lm, requests, tmp_path):
    path = tmp_path / "trace.jsonl"
    lm = make_lm(strategy="uncertainty", threshold=0.4, trace=str(path))
    lm.generate_until(requests)
    for line in map(json.loads, path.read_text().splitlines()):
        for token in line["tokens"]:
            assert (token["signal"] > 0.4) == (token["model"] == "llm")


def test_sampling_does_not_depend_on_batch_size_or_order(make_lm, requests):
    sampled = [
        type(r)(r.request_type, r.doc, (r.args[0], {**r.args[1], "do_sample": True,
                "temperature": 1.6}), r.idx, r.metadata) for r in requests
    ]  # fmt: skip
    one = make_lm(strategy="speculative", batch_size=1, seed=5)
    many = make_lm(strategy="speculative", batch_size=8, seed=5)
    texts = one.generate_until(sampled)
    assert many.generate_until(sampled[::-1])[::-1] == texts
    other = make_lm(strategy="speculative", batch_size=8, seed=6)
    assert other.generate_until(sampled) != texts


def test_repeats_of_one_request_differ(make_lm, requests):
    request = requests[0]
    hot = (request.args[0], {**request.args[1], "do_sample": True, "temperature": 2.0})
    sampled = type(request)("generate_until", {}, hot, 0, request.metadata)
    sampled.repeats = 3
    lm = make_lm(strategy="llm-only")
    assert len(set(lm.generate_until([sampled] * 3))) > 1


def test_batch_size_auto_is_computed(make_lm, requests):
    lm = make_lm(strategy="llm-only", batch_size="auto")
    fixed = make_lm(strategy="llm-only", batch_size=1)
    assert lm.generate_until(requests) == fixed.generate_until(requests)
    assert next(iter(lm.batch_sizes.values())) == len(requests)


# accelerate 1.15 refuses --cpu beside --multi_gpu, and --cpu alone starts one process
LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
    "accelerate": [
        *("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
        *("--main_process_port", "0"),
    ],
}


def lm_eval(folder, launcher=()):
    line = [sys.executable, *(["-m", *launcher] if launcher else ())]
    line += ["-m", "lm_eval", "run", "--model", "hybrid", "--model_args"]
    line += ["slm=demo-slm,llm=demo-llm,device=cpu,dtype=float32,strategy=speculative"]
    line += ["--include_path", str(tasks_path()), "--tasks", f"{GENERATION},{CHOICE}"]
    line += ["--limit", "5", "--batch_size", "2", "--output_path", str(folder)]
    done = subprocess.run(
        [*line, "--log_samples"], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = folder.rglob("results*.json")
    return json.loads(path.read_text()), done


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    results, done = lm_eval(folder)
    # the table after the run, and the samples file
    assert "peculative (num_drafts=4), scoring=llm" in done.stderr
    assert list(folder.rglob(f"samples_{GENERATION}*.jsonl"))
    assert results["config"]["hybrid"]["processes"] == 1
    return results


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_give_the_same_as_one(alone, tmp_path, launcher):
    both, done = lm_eval(tmp_path, LAUNCHERS[launcher])
    for task in (GENERATION, CHOICE):
        kept = {k: v for k, v in alone["results"][task].items() if "stderr" not in k}
        assert kept == {k: both["results"][task][k] for k in kept}
    # what depends on which rows share slots may differ; all else is the same sum
    shared = ("reused_prefix_tokens", "llm_prefill_tokens", "slm_tokens_processed")
    loose = {*shared, "llm_tokens_processed", "activated_params_per_token"}
    for task, counts in alone["config"]["hybrid"]["tasks"].items():
        summed = both["config"]["hybrid"]["tasks"][task]
        for name in set(counts) - loose:
            assert summed[name] == counts[name], (task, name)
    assert both["config"]["hybrid"]["processes"] == 2
    assert done.stderr.count("peculative (num_drafts=4), scoring=llm") == 1
