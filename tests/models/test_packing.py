"""Packed linears compute what plain ones do, and are used only where they may be."""

import copy

import pytest
import torch

from hybridcore.conformance.tiny import TINY, tiny_model
from hybridcore.models import packing
from hybridcore.models.packed_linear import PackedGate, PackedLinear
from hybridcore.models.packing import pack
from hybridcore.models.parameters import active_parameters
from hybridcore.models.trial import errors

IDS = torch.tensor([[5, 9, 11, 3, 40, 7, 33, 21, 8]])


@pytest.fixture
def worth_it(monkeypatch):
    monkeypatch.setattr(packing, "_gain", lambda layers: 2.0)


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
    monkeypatch.setattr(packing, "_gain", lambda layers: 0.99)
    model = tiny_model("llama")
    assert pack(model) == 0
    assert PackedLinear not in kinds(model)


def test_the_measurement_weighs_every_layer(monkeypatch):
    seen = []

    def seconds(weight, rows):
        seen.append((tuple(weight.shape), rows))
        return torch.tensor([3.0, 1.0]) if weight.shape[0] == 48 else torch.ones(2)

    monkeypatch.setattr(packing, "_seconds", seconds)
    layers = [torch.nn.Linear(32, 48), torch.nn.Linear(32, 32), torch.nn.Linear(32, 32)]
    assert packing._gain(layers) == pytest.approx((5 / 3) ** 2)
    assert len(seen) == 4


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
