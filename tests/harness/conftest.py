"""The embedded pair behind HybridLM, and lm_eval requests made by hand."""

import itertools

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from hybridcore import HybridLM
from hybridcore.demo import model_path, tasks_path

TASKS = ["hybrid_demo_generation", "hybrid_demo_choice", "hybrid_demo_perplexity"]
DOCUMENTS = itertools.count()


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_lm():
    """HybridLM on the embedded pair, float32 on the CPU unless told otherwise."""
    defaults = {
        "slm": "demo-slm",
        "llm": "demo-llm",
        "device": "cpu",
        "dtype": "float32",
        "batch_size": 4,
    }
    return lambda **arguments: HybridLM(**{**defaults, **arguments})


@pytest.fixture(scope="session")
def base(make_lm):
    """One loaded pair; tests take ``base.with_strategy(...)``."""
    return make_lm(strategy="llm-only")


@pytest.fixture(scope="session")
def hflm():
    def make(name="demo-llm", **arguments):
        settings = {"device": "cpu", "dtype": "float32", "batch_size": 4}
        return HFLM(pretrained=str(model_path(name)), **{**settings, **arguments})

    return make


@pytest.fixture(scope="session")
def manager():
    return TaskManager(include_path=str(tasks_path()))


@pytest.fixture
def ask():
    """``ask(kind, *args)``: one lm_eval request."""

    def make(kind, *arguments, task="by_hand", document=None):
        return Instance(
            request_type=kind,
            doc={},
            arguments=arguments,
            idx=0,
            metadata=(task, next(DOCUMENTS) if document is None else document, 1),
        )

    return make
