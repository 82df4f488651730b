"""Compiled layers generate what the others do, and only while slots are read."""

import functools
import logging
import shutil

import pytest
import torch
from torch._inductor import config as inductor

from hybridcore.conformance.tiny import tiny_model
from hybridcore.models import compiling
from hybridcore.models.compiled_layers import CompiledLayers
from hybridcore.models.compiled_steps import CompiledSteps
from hybridcore.models.compiling import compile_layers, compile_runner
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.recorder import Recorder
from hybridcore.models.runner import Feed
from hybridcore.models.trial import short_trial

PROMPT = [5, 9, 11, 3, 40, 8]


@pytest.fixture
def graphs(monkeypatch):
    """The pieces of code that were traced so far; they run without a compiler."""
    traced = []

    def noted(graph, inputs):
        traced.append(graph)
        return graph

    whole = functools.partial(torch.compile, backend=noted)
    monkeypatch.setattr(torch, "compile", whole)
    yield traced
    torch._dynamo.reset()


def greedy(runner, tokens=12, prompt=PROMPT):
    """The text that a runner's model continues the prompt with, a token a call."""
    slot, _ = runner.acquire(prompt)
    text, new = [], prompt
    for _ in range(tokens):
        new = [runner.forward([Feed(slot, new)])[0].argmax().item()]
        text += new
    return text


def generated(model, tokens=12, prompt=PROMPT):
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            do_sample=False,
            eos_token_id=None,
        )
    return out[0, len(prompt) :].tolist()


@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler: g++")
@pytest.mark.skipif(
    " " in torch.__file__, reason="torch 2.13 cannot link in a path with a space"
)
def test_greedy_text_is_generates(monkeypatch):
    model = tiny_model("llama", num_hidden_layers=1)
    runner = choose_runner(model, 1)
    # one shape, a token of a row: a C++ compiler takes ten seconds for each
    monkeypatch.setattr(compiling, "_WIDTHS", (1,))
    with inductor.patch(compile_threads=1):
        assert compile_layers(runner, model) == 1
        assert greedy(runner, 30, [5]) == generated(model, 30, [5])


class Again(Recorder):
    """Whose recordings are run anew each time."""

    kind = "runs"
    worth, share, spare, reach = 1, 0.0, 3, 16

    def record(self, step):
        return step.run


@pytest.mark.usefixtures("graphs")
# windows shorter than the rows; the second has an attention of its own
@pytest.mark.parametrize(
    ("kind", "records"), [("mistral", False), ("mistral", True), ("gemma2", False)]
)
def test_ragged_rows_are_those_of_recomputing(kind, records):
    model = tiny_model(kind)
    runner = choose_runner(model, 3, recorder=Again() if records else None)
    assert compile_layers(runner, model) == 3
    assert short_trial(runner, RecomputeRunner(model, 3)).max() < 1e-4
    assert (runner.recorded > 0) == records


def operators(graphs):
    """Names of the operators in traced code."""
    nodes = (node for graph in graphs for node in graph.graph.nodes)
    return {node.name for node in nodes if node.op.startswith("call")}


def test_attention_is_compiled_but_for_what_is_told_the_slots(graphs):
    model = tiny_model("qwen3")
    runner = choose_runner(model, 1)
    assert runner.in_pieces
    compile_layers(runner, model)
    found = operators(graphs)
    assert {"rsqrt", "silu", "cat"} <= found  # of norms, of the MLP, of rotations
    assert not any(name.startswith(("softmax", "index_copy", "bmm")) for name in found)
    assert greedy(runner) == generated(model)


def test_layers_that_are_alike_share_their_code(graphs, monkeypatch):
    monkeypatch.setattr(compiling, "_WIDTHS", (1,))
    counts = []
    for layers in (1, 10):  # more than torch compiles of one piece of code by itself
        graphs.clear()
        torch._dynamo.reset()
        model = tiny_model("llama", num_hidden_layers=layers)
        assert compile_layers(choose_runner(model, 1), model) == layers
        counts.append(len(graphs))
    assert counts[0] == counts[1] > 2


def test_nothing_is_compiled_again_where_the_engine_reads(graphs):
    model = tiny_model("llama")
    runner = choose_runner(model, 1)
    compile_layers(runner, model)
    graphs.clear()
    with torch.inference_mode():
        assert greedy(runner, prompt=PROMPT[:5]) == generated(model, prompt=PROMPT[:5])
    assert graphs == []


def test_layers_run_compiled_in_the_slots_alone(monkeypatch):
    model, ran = tiny_model("llama"), []

    def noting(forward, dynamic):
        assert dynamic
        layer = forward.__self__

        def compiled(*args, **kwargs):
            ran.append(layer)
            return forward(*args, **kwargs)

        return compiled

    monkeypatch.setattr(torch, "compile", noting)
    runner = choose_runner(model, 2)
    assert compile_layers(runner, model) == 3
    ran.clear()
    with torch.inference_mode():
        model(torch.tensor([PROMPT]))
    assert ran == []
    runner.forward([Feed(runner.acquire(PROMPT)[0], PROMPT)])
    assert ran == list(model.model.layers)


def test_what_computes_something_else_is_not_used(monkeypatch, caplog):
    model = tiny_model("llama")
    expected = generated(model)

    def wrong(forward, dynamic):
        return lambda *args, **kwargs: forward(*args, **kwargs) * 1.1

    monkeypatch.setattr(torch, "compile", wrong)
    runner = choose_runner(model, 2, recorder=Again())
    assert compile_layers(runner, model) == 0
    assert "compile=true ignored for model LlamaForCausalLM: its" in caplog.text
    # nor is what was recorded of it, and recording goes on
    assert runner.recorded == 0
    assert greedy(runner) == expected
    assert runner.recorded > 0


def test_where_nothing_can_compile_it_is_a_warning(monkeypatch, caplog):
    def none(forward, dynamic):
        def failing(*args, **kwargs):
            raise RuntimeError("no compiler here\nand more")

        return failing

    monkeypatch.setattr(torch, "compile", none)
    model = tiny_model("llama")
    runner = choose_runner(model, 2)
    assert compile_layers(runner, model) == 0
    assert "RuntimeError: no compiler here\n" in caplog.text
    assert greedy(runner) == generated(model)


@pytest.mark.parametrize(
    ("kind", "why"),
    [("bloom", "runs without a cache"), ("llama", "no decoder layers that can be")],
)
def test_models_that_cannot_be_compiled_say_so(kind, why, caplog):
    caplog.set_level(logging.WARNING, logger=compiling.__name__)
    model = tiny_model(kind)
    if kind == "llama":
        # as accelerate does
        for layer in model.model.layers:
            layer.forward = layer.forward
    assert compile_layers(choose_runner(model, 1), model) == 0
    assert why in caplog.text


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("bloom", ["it runs without a cache"]),
        ("gemma2", ["its attention is its own"]),
        ("llama", []),
    ],
)
def test_on_a_cpu_no_layers_are_compiled(kind, why, caplog):
    caplog.set_level(logging.WARNING, logger=compiling.__name__)
    model = tiny_model(kind)
    runner = choose_runner(model, 1, recorder=CompiledSteps())
    caplog.clear()
    assert compile_runner(runner, model) == 0
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(why)
    for message, reason in zip(said, why, strict=True):
        assert message.startswith("compile=true ignored for model ")
        assert reason in message


def test_a_failed_forward_leaves_the_layers_as_they_were():
    model = tiny_model("llama")
    layers = CompiledLayers(model)
    with pytest.raises(TypeError, match="must be Tensor"), layers.running():
        model("no ids")
    assert not any("forward" in vars(part) for part in model.modules())
