"""Real documents through lm_eval, where HYBRIDLM_EVAL_TASKS names a folder of tasks.

The folder is one for ``--include_path`` and has the tag ``local_all``. The embedded
pair knows nothing of these texts: the test is that each request gets HFLM's answer.
"""

import os
from pathlib import Path

import pytest
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from hybridcore import HybridLM
from hybridcore.demo import model_path

FOLDER = os.environ.get("HYBRIDLM_EVAL_TASKS", "")

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="HYBRIDLM_EVAL_TASKS does not name a folder of tasks"
)


@pytest.fixture(scope="module")
def tasks():
    assert Path(FOLDER).is_dir(), f"HYBRIDLM_EVAL_TASKS={FOLDER!r}: expected a folder"
    torch.set_num_threads(1)
    return TaskManager(include_path=FOLDER)


def evaluate(lm, tasks):
    # the tag leaves out the task that runs generated code
    results = simple_evaluate(
        model=lm, tasks=["local_all"], task_manager=tasks, limit=4, bootstrap_iters=0,
        gen_kwargs="max_gen_toks=24", log_samples=True,
    )  # fmt: skip
    return results["results"], results["samples"]


def test_every_answer_is_hflms(tasks):
    settings = {"device": "cpu", "dtype": "float32", "batch_size": 8}
    theirs, samples = evaluate(
        HFLM(pretrained=str(model_path("demo-llm")), **settings), tasks
    )
    ours, mine = evaluate(
        HybridLM(slm="demo-slm", llm="demo-llm", strategy="speculative", **settings),
        tasks,
    )
    assert len(mine) >= 15
    for task, values in theirs.items():
        for name, value in values.items():
            if isinstance(value, float):
                assert ours[task][name] == pytest.approx(value, rel=1e-4), (task, name)
    worst = 0.0
    for task, rows in samples.items():
        for a, b in zip(_resps(mine[task]), _resps(rows), strict=True):
            worst = max(worst, _distance(a, b))
    print(f"worst difference of a log-likelihood: {worst:.1e}")
    assert worst < 1e-3


def _resps(rows):
    return [r for row in sorted(rows, key=lambda r: r["doc_id"]) for r in row["resps"]]


def _distance(a, b):
    """Texts and flags must be equal; return how far the numbers are apart."""
    a, b = (x[0] if isinstance(x, list) and len(x) == 1 else x for x in (a, b))
    if isinstance(a, str):
        assert a == b
        return 0.0
    if isinstance(a, (tuple, list)):
        assert [str(x) for x in a[1:]] == [str(x) for x in b[1:]]
        a, b = a[0], b[0]
    return abs(float(a) - float(b)) / max(1.0, abs(float(b)) / 100)
