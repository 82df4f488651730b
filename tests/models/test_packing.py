"""Packed linears compute what plain ones do, and are used only where they may be."""

import copy

import pytest
import torch

from hybridcore.conformance.tiny import TINY, tiny_model
from hybridcore.models import packing, packing_gain
from hybridcore.models.packed_linear import PackedGate, PackedLinear
from hybridcore.models.packing import pack
from hybridcore.models.packing_gain import shape_of
from hybridcore.models.parameters import active_parameters
from hybridcore.models.trial import errors

IDS = torch.tensor([[5, 9, 11, 3, 40, 7, 33, 21, 8]])


@pytest.fixture
def worth_it(monkeypatch):
    monkeypatch.setattr(
        packing, "gains", lambda layers: dict.fromkeys(map(shape_of, layers), 2.0)
    )


def logits(model):
    with torch.no_grad():
        return model(IDS, use_cache=False).logits[0]


def kinds(model):
    return {type(module) for module in model.modules()}


@pytest.mark.usefixtures("worth_it")
@pytest.mark.parametrize("kind", sorted(TINY))
def test_a_packed_model_gives_the_same_logits(kind):
    model = tiny_model(kind)
    before = logits(model)
    count = pack(model)
    assert errors(logits(model), before).max() < 1e-5
    # Mamba multiplies by the weights of its layers itself
    assert (count == 0) == (kind == "mamba")
    assert (PackedLinear in kinds(model)) == (count > 0)


@pytest.mark.usefixtures("worth_it")
def test_sizes_are_those_of_the_plain_model():
    model = tiny_model("llama", tie_word_embeddings=True)
    plain = model.num_parameters(), active_parameters(model)
    embedding = model.get_input_embeddings().weight
    pack(model)
    assert (model.num_parameters(), active_parameters(model)) == plain
    assert model.lm_head.weight is embedding
    assert model.model.layers[0].self_attn.q_proj.weight.device.type == "meta"


@pytest.mark.usefixtures("worth_it")
def test_a_gated_mlp_is_fused_only_where_it_is_silu():
    silu, gelu = tiny_model("llama"), tiny_model("llama", hidden_act="gelu")
    assert pack(silu)
    assert pack(gelu)
    assert PackedGate in kinds(silu)
    assert PackedGate not in kinds(gelu)


@pytest.mark.usefixtures("worth_it")
def test_a_layer_that_somebody_watches_stays():
    model = tiny_model("llama")
    layer = model.model.layers[1].mlp.up_proj
    layer.register_forward_hook(lambda *args: None)
    pack(model)
    assert model.model.layers[1].mlp.up_proj is layer


@pytest.mark.usefixtures("worth_it")
def test_only_float32_on_the_cpu_is_packed():
    assert pack(tiny_model("llama").to(torch.bfloat16)) == 0


def test_what_is_not_faster_stays(monkeypatch):
    model = tiny_model("llama")
    wide = shape_of(model.model.layers[0].mlp.up_proj)

    def some(layers):
        return {shape_of(layer): 1.1 + (shape_of(layer) == wide) for layer in layers}

    monkeypatch.setattr(packing, "gains", some)
    assert pack(model) == 2 * len(model.model.layers)
    for layer in model.model.layers:
        assert type(layer.mlp.up_proj) is type(layer.mlp.gate_proj) is PackedLinear
        assert type(layer.mlp.down_proj) is torch.nn.Linear
    assert PackedGate not in kinds(model)


def test_layers_take_turns_in_the_order_of_the_model(monkeypatch):
    """Each shape by what all its layers take, in as many rows as each law has."""
    turns = []

    def spent(shapes, layers, inputs):
        turns.append((list(shapes), {size: len(x) for size, x in inputs.items()}))
        packed = len(turns) % 2 == 0
        return {(48, 32): 1.0 if packed else 3.0, (32, 32): 2.0 if packed else 1.0}

    monkeypatch.setattr(packing_gain, "_turn", spent)
    monkeypatch.setattr(packing_gain, "_SECONDS", 0.0)
    monkeypatch.setattr(packing_gain, "_SAMPLE", 32 * 32 * 4)
    made = [torch.nn.Linear(32, n) for n in (32, 32, 48, 48)]
    assert packing_gain.gains(made) == {(48, 32): 27.0, (32, 32): 1 / 8}
    # as many as the sample takes, and one of each shape
    assert all(shapes == [(32, 32), (48, 32)] for shapes, _ in turns)
    assert [rows for _, rows in turns] == [
        {32: n} for n in (1, 8, 256) for _ in "123456"
    ]


def test_what_is_measured_is_time():
    layers = [torch.nn.Linear(64, n) for n in (64, 64, 128)]
    found = packing_gain.gains(layers)
    assert set(found) == {(64, 64), (128, 64)}
    assert all(0 < gain < 1e6 for gain in found.values())


@pytest.mark.usefixtures("worth_it")
def test_without_the_operators_nothing_is_packed(monkeypatch):
    monkeypatch.setattr(packing, "available", lambda: False)
    assert pack(tiny_model("llama")) == 0


@pytest.mark.usefixtures("worth_it")
def test_what_computes_something_else_is_taken_back(monkeypatch):
    model = tiny_model("llama")
    twin = copy.deepcopy(model)
    monkeypatch.setattr(
        PackedLinear,
        "forward",
        lambda self, x: x.new_ones(*x.shape[:-1], self.out_features),
    )
    assert pack(model) == 0
    assert kinds(model) == kinds(twin)
    assert torch.equal(logits(model), logits(twin))
