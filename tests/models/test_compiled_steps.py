"""Steps that are compiled as a whole give what the model gives, on any cache."""

import gc
import shutil
import weakref

import pytest
import torch
from torch._inductor import config as inductor

from hybridcore.conformance.tiny import tiny_model
from hybridcore.models import packing
from hybridcore.models.compiled_steps import CompiledSteps
from hybridcore.models.packing_gain import shape_of
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed
from hybridcore.models.trial import errors

EXACT = 1e-4  # of the spread of the logits


@pytest.fixture
def traces(monkeypatch):
    """What was handed to the compiler, which hands it back."""
    found = []

    def kept(traced, **options):
        assert not options.pop("dynamic")
        found.append(traced)
        return traced

    monkeypatch.setattr(torch, "compile", kept)
    monkeypatch.setattr(CompiledSteps, "worth", 1)
    return found


class Both:
    """A runner that compiles, and one that recomputes; two rows."""

    def __init__(self, model, recorder):
        self.fast = choose_runner(model, 2, recorder=recorder)
        self.slow = RecomputeRunner(model, 2)
        # too long to be recorded themselves
        for prompt in (list(range(3, 22)), list(range(7, 30))):
            feeds = [Feed(r.acquire(prompt)[0], prompt) for r in (self.fast, self.slow)]
            self.fast.forward(feeds[:1]), self.slow.forward(feeds[1:])

    def turn(self, width=1, slots=(0, 1)):
        feeds = [Feed(s, [4 + s + i for i in range(width)], width) for s in slots]
        return errors(self.fast.forward(feeds), self.slow.forward(feeds)).max().item()


def generated(model, prompt, tokens):
    ids = torch.tensor([prompt])
    settings = {"attention_mask": torch.ones_like(ids), "do_sample": False}
    with torch.inference_mode():
        out = model.generate(ids, max_new_tokens=tokens, eos_token_id=None, **settings)
    return out[0, len(prompt) :].tolist()


@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler: g++")
@pytest.mark.skipif(
    " " in torch.__file__, reason="torch 2.13 cannot link in a path with a space"
)
def test_greedy_text_is_generates():
    model = tiny_model("llama", num_hidden_layers=1, head_dim=8, num_attention_heads=4)
    runner = choose_runner(model, 1, recorder=CompiledSteps())
    slot, _ = runner.acquire([5])
    text = [5]
    with inductor.patch(compile_threads=1):
        for _ in range(30):
            text += [runner.forward([Feed(slot, text[-1:])])[0].argmax().item()]
    assert runner.recorded == 1
    assert text[1:] == generated(model, [5], 30)


def test_one_code_serves_every_cache_of_its_size(traces):
    recorder = CompiledSteps()
    model = tiny_model("llama")
    both = Both(model, recorder)
    assert both.turn() < EXACT
    assert len(traces) == 1
    for runner in (both.fast, both.slow):
        runner.release(0), runner.release(1)
        runner.clear()
    again = Both(model, recorder)  # and every runner of the model
    assert again.turn() < EXACT
    assert (again.fast.recorded, len(traces)) == (1, 1)
    assert again.turn(width=5) < EXACT
    assert len(traces) == 2
    again.fast.rollback(0, 3), again.slow.rollback(0, 3)
    for runner in (again.fast, again.slow):
        runner.forward([Feed(0, [3 + i % 50 for i in range(300)])])
    assert again.turn() < EXACT, "more keys are another size"
    assert len(traces) == 3


def test_keys_and_places_are_arguments_and_weights_are_not(traces):
    model = tiny_model("llama")
    both = Both(model, CompiledSteps())
    both.turn()
    (trace,) = traces
    arguments = [node for node in trace.graph.nodes if node.op == "placeholder"]
    assert len(arguments) == 3 + 2 * len(model.model.layers)
    assert all(node.users for node in arguments)
    inside = {
        id(getattr(trace, n.target)) for n in trace.graph.nodes if n.op == "get_attr"
    }
    assert {id(p) for p in model.parameters()} <= inside
    assert not {id(t) for t in both.fast._reader.cache.tensors()} & inside


def test_compiled_code_holds_no_keys(traces):
    both = Both(tiny_model("llama"), CompiledSteps())
    both.turn()
    assert len(traces) == 1
    keys = weakref.ref(both.fast._reader.cache.tensors()[0])
    for slot in (0, 1):
        both.fast.release(slot)
    both.fast.clear()
    gc.collect()
    assert keys() is None


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_packed_blocks_are_traced(kind, traces, monkeypatch):
    (blocked,) = (layout for layout in packing._LAYOUTS if layout.compiles)

    def gains(groups, layouts):
        assert layouts == [blocked]
        return {
            shape_of(g): {blocked: 2.0} for g in groups if blocked.fits(shape_of(g)[1:])
        }

    monkeypatch.setattr(packing, "gains", gains)
    model = tiny_model(kind, **({"mlp_bias": True} if kind == "llama" else {}))
    both = Both(model, CompiledSteps())
    packing.pack(model, compiles=True)
    for _ in range(3):
        assert both.turn() < EXACT
    assert len(traces) == 1


def test_what_decides_by_numbers_is_called(traces, caplog):
    model = tiny_model("llama")
    norm = model.model.norm
    forward = norm.forward

    def deciding(hidden):
        return forward(hidden) if hidden.isfinite().all() else hidden

    norm.forward = deciding
    both = Both(model, CompiledSteps())
    for _ in range(3):
        assert both.turn() < EXACT
    assert both.fast.recorded == 0
    (said,) = (r.getMessage() for r in caplog.records if "not recorded" in r.message)
    assert said.startswith("steps are not recorded as compiled code: ")
    assert traces == []


def test_without_a_compiler_steps_are_called(monkeypatch, caplog):
    def failing(traced, **options):
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr(torch, "compile", failing)
    monkeypatch.setattr(CompiledSteps, "worth", 1)
    both = Both(tiny_model("llama"), CompiledSteps())
    for _ in range(3):
        assert both.turn() < EXACT
    said = [r.getMessage() for r in caplog.records if "not recorded" in r.message]
    assert said == ["steps are not recorded as compiled code: no compiler here"]


def test_a_view_of_the_keys_is_not_taken_for_a_constant(traces, monkeypatch, caplog):
    model = tiny_model("llama")
    both = Both(model, CompiledSteps())
    cache = both.fast._reader.cache
    view = cache.tensors()[0].flatten()
    norm = model.model.norm
    forward = norm.forward
    norm.forward = lambda hidden: forward(hidden) + 0.0 * view[:1]
    assert both.turn() < EXACT
    assert both.fast.recorded == 0
    assert "is a view of what changes" in caplog.text
