"""Sides and workloads small enough to be measured in a test."""

from collections import Counter
from contextlib import nullcontext

import pytest
import torch

from hybridcore.bench.side import Pass, Side
from hybridcore.bench.workload import Selection, Workload, workloads


class Scripted(Side):
    """Gives prepared answers and prepared times."""

    def __init__(self, name, seconds, outputs=(1.0,), counts=None, log=None):
        self.name = name
        self.batch_size = 1
        self._seconds = iter(seconds)
        self._outputs = list(outputs)
        self._counts = counts or {}
        self._log = [] if log is None else log

    def run(self, workload, watch=None):
        with watch or nullcontext():
            self._log.append(self.name)
        return Pass(next(self._seconds), self._outputs, self._counts)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def scripted():
    return Scripted


@pytest.fixture
def hand_made():
    """``hand_made(kind, n)``: a workload whose requests nobody looks at."""
    return lambda kind, count: Workload("by_hand", kind, [None] * count)


@pytest.fixture(scope="session")
def demo():
    """``demo(task, limit, kinds)``: lm_eval's own requests of an embedded task."""
    return lambda task, limit, kinds: workloads(Selection([task], limit=limit), kinds)[
        0
    ]


@pytest.fixture
def naive_trie():
    """The nodes of a trie, from a set of prefixes."""

    def count(sequences):
        nodes = {tokens[: i + 1] for tokens, _ in sequences for i in range(len(tokens))}
        scored = {
            tokens[: len(tokens) - i]
            for tokens, wanted in sequences
            for i in range(wanted)
        }
        return Counter(len(node) - 1 for node in nodes), len(scored)

    return count
