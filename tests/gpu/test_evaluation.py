"""On a GPU, HybridLM gives what lm_eval's HFLM gives on the same GPU."""

import pytest
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from hybridcore import HybridLM
from hybridcore.demo import model_path, tasks_path

TASKS = ["hybrid_demo_generation", "hybrid_demo_choice", "hybrid_demo_perplexity"]
# float32 as everywhere; halves of the type's precision of sums of some -400
WITHIN = {"float32": 1e-3, "bfloat16": 1.0, "float16": 0.25}


def evaluate(lm):
    manager = TaskManager(include_path=str(tasks_path()))
    return simple_evaluate(
        lm,
        tasks=TASKS,
        task_manager=manager,
        limit=6,
        bootstrap_iters=0,
        log_samples=True,
    )


def hybrid(**arguments):
    return HybridLM(slm="demo-slm", llm="demo-llm", batch_size=8, **arguments)


def answers(results):
    for task in TASKS:
        for sample in sorted(results["samples"][task], key=lambda s: s["doc_id"]):
            for response in sample["resps"]:
                first = response[0]
                yield first if isinstance(first, (list, tuple)) else (first,)


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("strategy", ["llm-only", "speculative"])
def test_it_is_hflm(strategy, dtype, record_property):
    theirs = evaluate(
        HFLM(str(model_path("demo-llm")), device="cuda", dtype=dtype, batch_size=8)
    )
    ours = evaluate(hybrid(strategy=strategy, device="cuda", dtype=dtype))
    worst, texts = 0.0, []
    for mine, other in zip(answers(ours), answers(theirs), strict=True):
        if isinstance(other[0], str):
            texts.append(mine[0] == other[0])
        else:
            worst = max(worst, abs(float(mine[0]) - float(other[0])))
    record_property(
        "measured",
        f"cuda, {dtype}, {strategy}: log-likelihoods {worst:.1e} from HFLM, "
        f"{sum(texts)} of {len(texts)} texts the same",
    )
    assert worst < WITHIN[dtype]
    if dtype == "float32":
        assert all(texts)


def test_the_device_is_the_gpu_unless_told_otherwise():
    lm = hybrid(strategy="uncertainty", threshold=0.3)
    assert lm.device.type == "cuda"
    assert {p.dtype for p in lm.model.parameters()} == {torch.float16}
    found = evaluate(lm)["results"][TASKS[0]]
    (right,) = [v for k, v in found.items() if k.startswith("exact_match,")]
    assert right > 0


def test_weights_that_do_not_fit_stay_on_the_cpu():
    placement = {"parallelize": True, "max_memory_per_gpu": "6MB"}
    settings = {"strategy": "speculative", "dtype": "float32"}
    split = hybrid(**settings, **placement)
    devices = {p.device.type for p in split.model.parameters()}
    assert devices == {"cuda", "meta"}
    whole = hybrid(**settings, device="cuda")
    pairs = zip(answers(evaluate(split)), answers(evaluate(whole)), strict=True)
    for mine, other in pairs:
        if isinstance(other[0], str):
            assert mine == other
        else:
            assert float(mine[0]) == pytest.approx(float(other[0]), abs=1e-3)
