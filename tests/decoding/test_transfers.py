"""A move reads the device once: what is seen on the host came in one ``fetch``."""

import pytest
import torch
from hybridlm_strategy_entropy import Entropy
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty
from torch.utils._python_dispatch import TorchDispatchMode

from hybridcore import Draft, Route, Strategy, hookimpl, laws
from hybridcore.conformance.tiny import perturbed, tiny_model
from hybridcore.decoding import llm_move, slm_move
from hybridcore.decoding.engine import Engine
from hybridcore.decoding.reading import SharedVocabulary
from hybridcore.decoding.request import GenerationRequest
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.dispatch import Dispatcher
from hybridcore.models.probe import choose_runner

aten = torch.ops.aten
# their result's size or value is on the host, so on a device they wait for it
WAITING = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.is_nonzero.default,
    aten.equal.default,
    aten._unique2.default,
    aten.repeat_interleave.Tensor,
}
READING = ["tolist", "numpy", "cpu", "item", "__bool__", "__int__", "__float__"]


class Waits(TorchDispatchMode):
    """Notes operators that would wait for a device."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in WAITING or _by_mask(function, args):
            self.seen.append(str(function))
        return function(*args, **(kwargs or {}))


def _by_mask(function, args):
    """Whether elements are chosen by booleans: how many is then on the device."""
    if function.overloadpacket not in (aten.index, aten.index_put, aten.index_put_):
        return False
    return any(index is not None and index.dtype == torch.bool for index in args[1])


@pytest.fixture
def watched(monkeypatch):
    """Run something; return the fetches, and what was read beside them."""
    fetches, inside = [], []
    plain = slm_move.fetch

    def fetch(*tensors):
        fetches.append(len(tensors))
        inside.append(True)
        try:
            return plain(*tensors)
        finally:
            inside.pop()

    for module in (slm_move, llm_move):
        monkeypatch.setattr(module, "fetch", fetch)
    waits = Waits()
    for name in READING:
        method = getattr(torch.Tensor, name)

        def noted(tensor, *args, method=method, name=name):
            if not inside:
                waits.seen.append(name)
            return method(tensor, *args)

        monkeypatch.setattr(torch.Tensor, name, noted)

    def run(work):
        # probing the models is done by now
        waits.seen.clear()
        with waits:
            work()
        return len(fetches), waits.seen

    return run


class Doubled(Strategy):
    """Drafts two tokens in one go; asks at every third place."""

    lossless = True

    @hookimpl
    def route_token(self, step):
        asks = [len(step.tokens(i)) % 3 == 0 for i in range(len(step))]
        mask = torch.tensor(asks, device=step.pending.device)
        return Route(torch.where(mask, Route.ASK, Route.CHECK))

    @hookimpl
    def draft(self, step):
        law = step.law[:, None].expand(-1, 2, -1)
        return Draft(law.argmax(-1), step.budget.clamp_max(2), None)

    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)


LAWS = {
    "greedy": [WarpLaw(0.0)],
    "sampled": [WarpLaw(0.8, top_k=20, top_p=0.9)],
    "mixed": [WarpLaw(0.0), WarpLaw(1.0), WarpLaw(0.7)],
}


def engine_and_requests(strategy, makers, adaptive):
    llm = tiny_model("llama")
    runners = [choose_runner(m, 4) for m in (perturbed(llm, 0.1), llm)]
    engine = Engine(
        *runners, Dispatcher(strategy), SharedVocabulary(64, 60), 4, adaptive
    )
    requests = [
        GenerationRequest(
            [5, 9, 11, 3 + i],
            8 + i,
            makers[i % len(makers)],
            makers[i % len(makers)],
            seed=i,
            key=i,
        )
        for i in range(6)
    ]
    return engine, requests, runners


@pytest.mark.parametrize("makers", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize(
    ("strategy", "adaptive"),
    [
        (Speculative(num_drafts=3), False),
        (Speculative(num_drafts=3), True),
        (Uncertainty(threshold=0.5), False),
        (Entropy(threshold=1.0), False),
    ],
)
def test_one_fetch_a_move_and_nothing_else(watched, strategy, makers, adaptive):
    engine, requests, runners = engine_and_requests(strategy, makers, adaptive)
    before = sum(runner.forwards for runner in runners)
    fetches, others = watched(lambda: list(engine.run(requests)))
    calls = sum(runner.forwards for runner in runners) - before
    assert others == []
    # a move that reads texts of very different lengths calls the model more than once
    assert 0 < fetches <= calls <= fetches + 6


def test_a_hook_that_drafts_takes_a_second_one(watched):
    engine, requests, runners = engine_and_requests(Doubled(), LAWS["mixed"], False)
    small, large = (runner.forwards for runner in runners)
    fetches, others = watched(lambda: list(engine.run(requests)))
    small, large = runners[0].forwards - small, runners[1].forwards - large
    assert others == []
    assert small + large < fetches <= 2 * small + large
