"""A peer in another interpreter: here this one, with a model made of arithmetic."""

import argparse
import os
import sys
from contextlib import ExitStack

import pytest

from hybridcore.bench.vllm_side import start_vllm, worker_environment
from hybridcore.bench.workload import SCORING
from hybridcore.errors import HybridLMError

ADAPTER = """
class Model:
    def __init__(self):
        self.resets = 0
    def reset_prefix_cache(self):
        self.resets += 1
        return True
    def generate(self, *args):
        return []

class Arithmetic:
    def __init__(self, **arguments):
        self.arguments = arguments
        self.model = Model()
    def loglikelihood(self, requests, disable_tqdm):
        print("libraries print")
        return [(-float(len(r.args[1])), True) for r in requests]
    def fails(self):
        raise RuntimeError
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """``start(adapter)``: the side, in a process that ends with the test."""
    (tmp_path / "arithmetic.py").write_text(ADAPTER)
    arguments = argparse.Namespace(
        peer=["vllm"],
        peer_python=sys.executable,
        device="cpu",
        dtype="float32",
        llm="demo-llm",
    )
    # the worker's environment has no PYTHONPATH: a .pth of one line has
    monkeypatch.setattr(
        "hybridcore.bench.vllm_side.worker_environment",
        lambda device: {**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    with ExitStack() as stack:
        yield lambda adapter: start_vllm(arguments, stack, 512, adapter)


def test_a_worker_answers_and_times_itself(start, demo):
    load = demo("hybrid_demo_choice", 2, SCORING)
    side = start("arithmetic:Arithmetic")
    done = side.run(load)
    assert done.outputs == [(-float(len(r.args[1])), True) for r in load.requests]
    assert done.seconds > 0
    assert side.process() != os.getpid()


def test_an_adapter_that_is_missing_is_one_line(start):
    with pytest.raises(HybridLMError, match="the peer failed at 'load'"):
        start("nowhere:Nothing")


def test_an_interpreter_that_is_missing_is_one_line():
    arguments = argparse.Namespace(
        peer=["vllm"], peer_python="/nowhere/python", device="cpu"
    )
    with ExitStack() as stack, pytest.raises(HybridLMError, match="peer_python="):
        start_vllm(arguments, stack, 512)


def test_the_environment_is_ours_without_pythons(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "here")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = worker_environment("cpu")
    assert not {"PYTHONPATH", "OMP_NUM_THREADS"} & set(found)
    assert found["VLLM_CPU_OMP_THREADS_BIND"].startswith("0-")
    assert "VLLM_CPU_KVCACHE_SPACE" not in worker_environment("cuda")
