"""On the LLM's own terms, HybridLM is lm_eval's HFLM: same numbers, same texts."""

import pytest
from lm_eval import simple_evaluate

from hybridcore.demo import tasks_path

TASKS = ["hybrid_demo_generation", "hybrid_demo_choice", "hybrid_demo_perplexity"]


def evaluate(lm, manager, tasks=TASKS, **settings):
    settings = {"limit": 12, "bootstrap_iters": 0, **settings}
    return simple_evaluate(
        model=lm, tasks=tasks, task_manager=manager, log_samples=True, **settings
    )


def responses(results, task):
    samples = sorted(results["samples"][task], key=lambda s: s["doc_id"])
    return [sample["resps"] for sample in samples]


def metrics(results):
    return {
        task: {k: v for k, v in values.items() if isinstance(v, float)}
        for task, values in results["results"].items()
    }


@pytest.fixture(scope="module")
def reference(hflm, manager):
    return evaluate(hflm(batch_size=8), manager)


@pytest.fixture(scope="module")
def one_by_one(hflm, manager):
    return evaluate(hflm(batch_size=1), manager, TASKS[1:])


@pytest.mark.parametrize("strategy", ["llm-only", "speculative", "uncertainty"])
def test_scores_are_hflms(
    base, manager, reference, one_by_one, strategy, record_property
):
    ours = evaluate(base.with_strategy(strategy), manager, TASKS[1:])
    worst = spread = 0.0
    for task in TASKS[1:]:
        for mine, theirs, alone in zip(
            responses(ours, task),
            responses(reference, task),
            responses(one_by_one, task),
            strict=True,
        ):
            for a, b, c in zip(_flat(mine), _flat(theirs), _flat(alone), strict=True):
                assert a[1:] == b[1:]
                worst = max(worst, abs(a[0] - b[0]))
                spread = max(spread, abs(b[0] - c[0]))
    record_property(
        "measured",
        f"log-likelihoods of the embedded pair, {strategy}: {worst:.1e} from HFLM at "
        f"batch 8; HFLM's own between batch 1 and 8: {spread:.1e}",
    )
    assert worst < 1e-3
    mine, theirs = metrics(ours), metrics(reference)
    assert mine["hybrid_demo_choice"] == theirs["hybrid_demo_choice"]
    for name, value in theirs["hybrid_demo_perplexity"].items():
        assert mine["hybrid_demo_perplexity"][name] == pytest.approx(value, rel=1e-5)


def _flat(responses):
    """(log-likelihood, is_greedy) of each choice, or (log-likelihood,)."""
    for (response,) in responses:
        values = response if isinstance(response, (list, tuple)) else (response,)
        yield [float(values[0]), *(str(v) for v in values[1:])]


@pytest.mark.parametrize("strategy", ["llm-only", "speculative"])
def test_texts_are_hflms(base, manager, reference, strategy):
    ours = evaluate(base.with_strategy(strategy), manager, TASKS[:1])
    assert responses(ours, TASKS[0]) == responses(reference, TASKS[0])
    assert metrics(ours)[TASKS[0]] == metrics(reference)[TASKS[0]]


@pytest.mark.parametrize(
    "gen_kwargs",
    ["repetition_penalty=1.3,max_gen_toks=20", "max_gen_toks=9,until=="],
)
def test_generation_arguments_mean_the_same(base, hflm, manager, gen_kwargs):
    settings = {"tasks": TASKS[:1], "gen_kwargs": gen_kwargs, "limit": 6}
    theirs = evaluate(hflm(batch_size=1), manager, **settings)
    for strategy in ("llm-only", "speculative"):
        ours = evaluate(base.with_strategy(strategy), manager, **settings)
        assert responses(ours, TASKS[0]) == responses(theirs, TASKS[0])


def test_fewshot_system_instruction_and_chat_template(make_lm, hflm, manager):
    template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>\n"
        "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    hybrid, plain = make_lm(strategy="speculative"), hflm(batch_size=1)
    for lm in (hybrid, plain):
        lm.tokenizer.chat_template = template
    settings = {
        "tasks": TASKS[:2],
        "num_fewshot": 2,
        "limit": 4,
        "system_instruction": "Answer briefly.",
        "apply_chat_template": True,
        "fewshot_as_multiturn": True,
    }
    ours = evaluate(hybrid, manager, **settings)
    theirs = evaluate(plain, manager, **settings)
    assert responses(ours, TASKS[0]) == responses(theirs, TASKS[0])
    assert metrics(ours)[TASKS[1]] == metrics(theirs)[TASKS[1]]
    prompt = ours["samples"][TASKS[0]][0]["arguments"][0][0]
    assert "<system>Answer briefly.</system>" in prompt


def test_rolling_texts_longer_than_the_window(make_lm, hflm, ask):
    text = (tasks_path().parent / "data" / "perplexity.jsonl").read_text()[:1500]
    request = [ask("loglikelihood_rolling", text), ask("loglikelihood_rolling", "a b")]
    ours = make_lm(strategy="llm-only", max_length=64).loglikelihood_rolling(request)
    theirs = hflm(max_length=64).loglikelihood_rolling(request)
    assert ours == pytest.approx(theirs, abs=1e-3)
    assert abs(ours[0]) > 100


def test_contexts_longer_than_the_window_are_cut_as_hflm_cuts(make_lm, hflm, ask):
    context = "Question: Ada has 12 pens. " * 20
    scores = [ask("loglikelihood", context, " Ada"), ask("loglikelihood", "", " Ada")]
    texts = [ask("generate_until", context, {"until": ["."], "max_gen_toks": 9})]
    hybrid, plain = make_lm(strategy="llm-only", max_length=64), hflm(max_length=64)
    for (a, greedy), (b, other) in zip(
        hybrid.loglikelihood(scores), plain.loglikelihood(scores), strict=True
    ):
        assert a == pytest.approx(b, abs=1e-3)
        assert greedy == other
    assert hybrid.generate_until(texts) == plain.generate_until(texts)
    counts = hybrid.counts().tasks["by_hand"]
    assert counts.truncated_prompts == 2
    assert counts.empty_contexts == 1


def test_scoring_by_the_strategy_is_between_the_models(base, hflm, ask):
    scores = [ask("loglikelihood", "Question: Ada has 12", t) for t in (" pens", " 9")]
    settings = {"scoring": "strategy"}
    lm = base.with_strategy("uncertainty", threshold=1.0)
    lm.scoring = settings["scoring"]
    lm.scores_with_slm = True
    slm = hflm("demo-slm").loglikelihood(scores)
    got = lm.loglikelihood(scores)
    assert [g for _, g in got] == [g for _, g in slm]
    assert [v for v, _ in got] == pytest.approx([v for v, _ in slm], abs=1e-3)


def test_batch_size_auto_gives_the_same(make_lm, manager, reference):
    lm = make_lm(strategy="speculative", batch_size="auto", max_batch_size=5)
    ours = evaluate(lm, manager, TASKS[:2])
    assert responses(ours, TASKS[0]) == responses(reference, TASKS[0])
    assert metrics(ours)[TASKS[1]] == metrics(reference)[TASKS[1]]
    assert ours["config"]["batch_sizes"] == [5, 5]
    assert ours["config"]["hybrid"]["batch_size"] == "auto"


def test_limit_and_task_names_are_in_the_counts(base, manager):
    lm = base.with_strategy("llm-only")
    ours = evaluate(lm, manager, TASKS, limit=3)
    counts = ours["config"]["hybrid"]["tasks"]
    assert {task: counts[task]["requests"] for task in TASKS} == {
        TASKS[0]: 3,
        TASKS[1]: 3 * 4,
        TASKS[2]: 3,
    }


def test_an_object_evaluated_twice_counts_each_time_from_zero(base, manager):
    lm = base.with_strategy("uncertainty", threshold=0.1)
    first, second, other = (
        evaluate(lm, manager, tasks, limit=3)["config"]["hybrid"]["tasks"]
        for tasks in (TASKS[:2], TASKS[:2], TASKS[1:2])
    )
    # what a slot still holds from the first time need not be read again
    reading = {"reused_prefix_tokens", "llm_prefill_tokens", "slm_tokens_processed"}
    reading |= {"llm_tokens_processed", "activated_params_per_token"}
    for task, counts in first.items():
        for name in set(counts) - reading:
            assert second[task][name] == counts[name], (task, name)
    assert list(other) == TASKS[1:2]
    assert other[TASKS[1]]["requests"] == 3 * 4


def test_the_seed_of_lm_eval_is_the_seed_of_sampling(base, manager):
    lm = base.with_strategy("speculative")
    settings = {
        "tasks": TASKS[:1],
        "limit": 2,
        "gen_kwargs": "do_sample=True,temperature=3.0,max_gen_toks=20",
    }
    texts = [
        responses(evaluate(lm, manager, torch_random_seed=n, **settings), TASKS[0])
        for n in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]
