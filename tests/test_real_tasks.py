"""Real documents through lm_eval, where HYBRIDLM_EVAL_TASKS names a folder of tasks.

The folder is one for ``--include_path`` and has the tag ``local_all``. The embedded
pair knows nothing of these texts: the test is that each request gets HFLM's answer.
"""

import os
from pathlib import Path

import numpy
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


def test_every_answer_is_hflms(tasks, record_property):
    settings = {"device": "cpu", "dtype": "float32", "batch_size": 8}
    hflm = HFLM(pretrained=str(model_path("demo-llm")), **settings)
    theirs, samples = evaluate(hflm, tasks)
    hflm.batch_size_per_gpu = 1
    _, alone = evaluate(hflm, tasks)
    ours, mine = evaluate(
        HybridLM(slm="demo-slm", llm="demo-llm", strategy="speculative", **settings),
        tasks,
    )
    assert len(mine) >= 15
    for task, values in theirs.items():
        for name, value in values.items():
            if isinstance(value, float):
                assert ours[task][name] == pytest.approx(value, rel=1e-4), (task, name)
    worst, spread = 0.0, 0.0
    for task, rows in samples.items():
        for a, b, c in zip(
            _answers(mine[task]), _answers(rows), _answers(alone[task]), strict=True
        ):
            assert a[1:] == b[1:]
            worst, spread = max(worst, _apart(a, b)), max(spread, _apart(b, c))
            assert _apart(a, b) <= _allowed(b), (task, a, b)
    record_property(
        "measured",
        f"log-likelihoods of real documents, speculative: {worst:.1e} from HFLM at "
        f"batch 8; HFLM's own between batch 1 and 8: {spread:.1e}",
    )


def _answers(rows):
    """(log-likelihood, is_greedy), (log-likelihood,) or (None, text), in order."""
    for row in sorted(rows, key=lambda r: r["doc_id"]):
        for response in row["resps"]:
            while isinstance(response, list) and len(response) == 1:
                (response,) = response
            if isinstance(response, str):
                yield None, response
            else:
                values = response if isinstance(response, (tuple, list)) else [response]
                yield float(values[0]), *map(str, values[1:])


def _apart(a, b):
    if a[0] is None:
        return 0.0
    return abs(a[0] - b[0])


def _allowed(answer):
    """A thousandth, or two steps of float32, in which HFLM sums whole texts."""
    number = 0.0 if answer[0] is None else answer[0]
    return max(1e-3, 2 * float(numpy.spacing(numpy.float32(abs(number)))))
