"""On a device without float64 nothing is float64, and the texts are the same.

There is no such device here. So the widest type is said to be float32, and an operation
that makes a float64 all the same is an error, as it is on MPS.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hybridcore import Hybrid, laws, precision, transfer
from hybridcore.errors import ModelError
from hybridcore.models import trial
from hybridcore.precision import widest_float
from hybridcore.transfer import fetch, uniform_numbers

CPU = torch.device("cpu")
PROMPTS = ["Question: Ada has 12 pens", "Question: Eva"]
SAMPLED = {"do_sample": True, "temperature": 1.0, "top_p": 0.9}


class NoFloat64(TorchDispatchMode):
    """Refuses float64, as MPS does."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, torch.Tensor) and one.dtype is torch.float64:
                raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return made


@pytest.fixture
def narrow(monkeypatch):
    for module in (precision, laws, transfer, trial):
        monkeypatch.setattr(module, "widest_float", lambda device: torch.float32)


def test_the_widest_type_of_a_device():
    assert widest_float(CPU) is torch.float64
    assert widest_float(torch.device("cuda", 1)) is torch.float64
    assert widest_float(torch.device("mps")) is torch.float32


@pytest.fixture(scope="module")
def hybrid():
    torch.set_num_threads(1)
    return Hybrid(
        "demo-slm",
        "demo-llm",
        "speculative",
        device="cpu",
        dtype="float32",
        seed=3,
        pack=False,
    )


@pytest.fixture(scope="module")
def wide(hybrid):
    return answers(hybrid)


def answers(hybrid):
    hybrid.lm.pair.forget()  # so that the probes run as well
    return [
        answer.text
        for settings in ({}, SAMPLED)
        for strategy in ("speculative", "uncertainty")
        for answer in hybrid.with_strategy(strategy).generate(PROMPTS, 16, **settings)
    ]


def test_texts_are_the_same_without_float64(hybrid, wide, narrow):
    with NoFloat64():
        assert answers(hybrid) == wide
        scores = hybrid.score([(PROMPTS[0], " and")])
    assert scores[0].log_likelihood < 0


def test_a_device_that_has_it_uses_it(hybrid):
    with NoFloat64(), pytest.raises(ModelError, match="float64"):
        answers(hybrid)


def test_no_number_is_rounded_to_one(narrow):
    largest = 1 - 2**-53
    made = uniform_numbers([[largest, 0.0], [0.25, 0.5]], CPU)
    assert made.dtype is torch.float32
    assert made.max() < 1
    law = torch.tensor([[0.5, 0.5, 0.0]])
    assert laws.draw(law, [largest]).tolist() == [1]


def test_numbers_come_to_the_host_as_they_are(narrow):
    with NoFloat64():
        moved = transfer._moved([torch.tensor([2**40 + 1]), torch.tensor([[0.1]])])
    assert moved[0].tolist() == [2**40 + 1]
    assert fetch(moved[1]) == [moved[1].tolist()]
