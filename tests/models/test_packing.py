"""Packed linears compute what plain ones do, and are used only where they may be."""

import copy

import pytest
import torch
from torch import nn
from transformers.models.llama.modeling_llama import LlamaMLP

from hybridcore.conformance.tiny import TINY, tiny_model
from hybridcore.models import packing, packing_gain
from hybridcore.models.blocked_linear import (
    BlockedGate,
    BlockedLayout,
    BlockedLinear,
)
from hybridcore.models.huge_pages import Shelf
from hybridcore.models.linear_places import linear_groups
from hybridcore.models.onednn_linear import OneDnnGate, OneDnnLayout, OneDnnLinear
from hybridcore.models.packing import pack
from hybridcore.models.packing_gain import shape_of
from hybridcore.models.parameters import active_parameters
from hybridcore.models.placement import layer_devices
from hybridcore.models.trial import errors

IDS = torch.tensor([[5, 9, 11, 3, 40, 7, 33, 21, 8], [7, 1, 2, 3, 4, 5, 6, 7, 9]])
LAYERS = {OneDnnLayout: OneDnnLinear, BlockedLayout: BlockedLinear}
GATES = {OneDnnLayout: OneDnnGate, BlockedLayout: BlockedGate}


@pytest.fixture(params=LAYERS)
def layout(request, monkeypatch):
    """Have everything packed that fits one layout."""
    (chosen,) = (x for x in packing._LAYOUTS if type(x) is request.param)

    def gains(groups, layouts):
        shapes = map(shape_of, groups)
        return {s: {chosen: 2.0} if chosen.fits(s[1:]) else {} for s in shapes}

    monkeypatch.setattr(packing, "gains", gains)
    return request.param


def logits(model):
    with torch.no_grad():
        return model(IDS, use_cache=False).logits.flatten(0, 1)


def kinds(model):
    return {type(module) for module in model.modules()}


@pytest.mark.parametrize("kind", sorted(TINY))
def test_a_packed_model_gives_the_same_logits(kind, layout):
    model = tiny_model(kind)
    before = logits(model)
    count = pack(model)
    assert errors(logits(model), before).max() < 1e-5
    # Mamba multiplies by the weights of its layers itself
    assert (count == 0) == (kind == "mamba")
    assert (LAYERS[layout] in kinds(model)) == (count > 0)


@pytest.mark.usefixtures("layout")
def test_sizes_are_those_of_the_plain_model():
    model = tiny_model("llama", tie_word_embeddings=True)
    plain = model.num_parameters(), active_parameters(model)
    embedding = model.get_input_embeddings().weight
    pack(model)
    assert (model.num_parameters(), active_parameters(model)) == plain
    assert model.lm_head.weight is embedding
    assert model.model.layers[0].self_attn.q_proj.weight.device.type == "meta"


def test_a_gated_mlp_is_fused_only_where_it_is_silu(layout):
    silu, gelu = tiny_model("llama"), tiny_model("llama", hidden_act="gelu")
    assert pack(silu)
    assert pack(gelu)
    assert GATES[layout] in kinds(silu)
    assert GATES[layout] not in kinds(gelu)


def test_biases_are_added(layout):
    model = tiny_model("llama", attention_bias=True, mlp_bias=True)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_()
    before = logits(model)
    assert pack(model)
    assert errors(logits(model), before).max() < 1e-5
    # oneDNN adds them by itself; products of blocks are not yet in the order of biases
    assert (GATES[layout] in kinds(model)) == (layout is OneDnnLayout)


@pytest.mark.usefixtures("layout")
def test_a_layer_that_somebody_watches_stays():
    model = tiny_model("llama")
    layer = model.model.layers[1].mlp.up_proj
    layer.register_forward_hook(lambda *args: None)
    pack(model)
    assert model.model.layers[1].mlp.up_proj is layer


@pytest.mark.parametrize("where", ["mlp", "act_fn"])
def test_an_mlp_that_somebody_watches_stays(where, layout):
    model = tiny_model("llama")
    mlp = model.model.layers[1].mlp
    (mlp if where == "mlp" else mlp.act_fn).register_forward_hook(lambda *args: None)
    pack(model)
    assert model.model.layers[1].mlp is mlp
    assert type(model.model.layers[0].mlp) is GATES[layout]


def test_an_mlp_that_clamps_stays_and_its_layers_are_packed(layout):
    class Clamped(LlamaMLP):
        def forward(self, x):
            gate = self.act_fn(self.gate_proj(x)).clamp(max=10.0)
            return self.down_proj(gate * self.up_proj(x))

    model = tiny_model("llama")
    for layer in model.model.layers:
        layer.mlp.__class__ = Clamped
    assert pack(model)
    assert {type(layer.mlp) for layer in model.model.layers} == {Clamped}
    assert type(model.model.layers[0].mlp.up_proj) is LAYERS[layout]


@pytest.mark.usefixtures("layout")
def test_a_packed_models_layers_are_where_they_were():
    model = tiny_model("llama")
    assert pack(model)
    cpu = torch.device("cpu")
    assert layer_devices(model) == [cpu] * len(model.model.layers)


@pytest.mark.usefixtures("layout")
def test_only_float32_on_the_cpu_is_packed():
    assert pack(tiny_model("llama").to(torch.bfloat16)) == 0


@pytest.mark.parametrize("better", [0, 1])
def test_each_shape_gets_the_layout_that_gains_most_if_any_gains(monkeypatch, better):
    model = tiny_model("llama")
    mlp = model.model.layers[0].mlp
    down = shape_of((mlp.down_proj,))
    gate = shape_of((mlp.gate_proj, mlp.up_proj))
    good, bad = packing._LAYOUTS[better], packing._LAYOUTS[1 - better]

    def some(groups, layouts):
        found = {shape_of(group): {good: 0.9, bad: 0.8} for group in groups}
        return found | {gate: {bad: 1.1, good: 1.2}, down: {good: 1.01}}

    monkeypatch.setattr(packing, "gains", some)
    assert pack(model) == 2 * len(model.model.layers)
    for layer in model.model.layers:
        assert type(layer.mlp) is GATES[type(good)]
        assert (
            type(layer.mlp.up_proj) is type(layer.mlp.gate_proj) is LAYERS[type(good)]
        )
        assert type(layer.mlp.down_proj) is nn.Linear
        assert type(layer.self_attn.q_proj) is nn.Linear


def test_layers_of_one_input_stand_together():
    names = [[place.name for place in g] for g in linear_groups(tiny_model("llama"))]
    layer = [["q_proj", "k_proj", "v_proj"], ["o_proj"], ["gate_proj", "up_proj"]]
    layer.append(["down_proj"])
    assert sorted(names) == sorted([*layer * (len(names) // 4), ["lm_head"]])


def test_who_is_asked_first_computes_for_all_that_read_the_same(monkeypatch):
    plain = [nn.Linear(32, out) for out in (48, 16, 16)]
    packed = BlockedLayout().packed(plain, [True] * 3, Shelf())
    calls = []
    bmm = torch.bmm
    monkeypatch.setattr(torch, "bmm", lambda *args: calls.append(1) or bmm(*args))
    first, second = torch.randn(2, 5, 32), torch.randn(1, 32)
    # in turn, out of turn, one alone, one twice, another in between
    order = [(0, first), (1, first), (2, first), (2, second), (0, second), (0, second)]
    order += [(1, first), (1, second), (0, first)]
    for place, inputs in order:
        got, wanted = packed[place](inputs), plain[place](inputs)
        assert torch.allclose(got, wanted, atol=1e-5)
    assert len(calls) == 6
    for place in (1, 2):
        packed[place](first)
    siblings = packed[0].siblings
    assert siblings._inputs is None, "what all have read is let go of"


def test_weights_that_read_the_same_are_held_once():
    layers = [nn.Linear(32, 48), nn.Linear(32, 96)]
    packed = BlockedLayout().packed(layers, [False] * 2, Shelf())
    assert packed[0].siblings is packed[1].siblings
    assert packed[0].siblings.blocks.shape == (3, 32, 48)
    assert all(layer.weight.is_meta for layer in packed)


@pytest.mark.parametrize(
    ("outs", "height"),
    [([576], 48), ([576, 192, 192], 48), ([2048, 1024], 32), ([8, 16], 0), ([467], 0)],
)
def test_blocks_are_of_one_height(outs, height):
    layout = BlockedLayout()
    assert layout.fits(outs) == (height > 0)
    if height:
        layers = [nn.Linear(4, out) for out in outs]
        packed = layout.packed(layers, [True] * len(outs), Shelf())
        assert packed[0].siblings.blocks.shape[-1] == height


def test_groups_take_turns_in_the_order_of_the_model(monkeypatch):
    """Each shape by what all its layers take, in as many rows as each law has."""
    turns = []

    def spent(shapes, groups, inputs):
        turns.append((list(shapes), {size: len(x) for size, x in inputs.items()}))
        packed = type(groups[0][0]) is not nn.Linear
        return {(32, 48): 1.0 if packed else 3.0, (32, 32): 2.0 if packed else 1.0}

    monkeypatch.setattr(packing_gain, "_turn", spent)
    monkeypatch.setattr(packing_gain, "_SECONDS", 0.0)
    monkeypatch.setattr(packing_gain, "_SAMPLE", 32 * 32 * 4)
    made = [(nn.Linear(32, n),) for n in (32, 32, 48, 48)]
    layout = BlockedLayout()
    found = packing_gain.gains(made, [layout])
    assert found[32, 48] == {layout: pytest.approx(3.0)}
    assert found[32, 32] == {layout: pytest.approx(0.5)}
    # as many as the sample takes, and one of each shape
    assert all(shapes == [(32, 32), (32, 48)] for shapes, _ in turns)
    assert [rows for _, rows in turns] == [
        {32: n} for n in (1, 5, 8, 256) for _ in "123456"
    ]


def test_what_is_measured_is_time():
    groups = [(nn.Linear(64, n), nn.Linear(64, 64)) for n in (64, 64, 128, 65)]
    found = packing_gain.gains(groups, packing._LAYOUTS)
    assert set(found) == {(64, n, 64) for n in (64, 128, 65)}
    assert all(0 < gain < 1e6 for by in found.values() for gain in by.values())
    onednn, blocked = packing._LAYOUTS
    assert set(found[64, 64, 64]) == {onednn, blocked}
    assert set(found[64, 65, 64]) == {onednn}, "65 outputs fit no blocks"


def test_without_its_operators_onednn_fits_nothing(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not OneDnnLayout().fits([48])
    assert BlockedLayout().fits([48])


def test_what_computes_something_else_is_taken_back(monkeypatch, layout):
    model = tiny_model("llama")
    twin = copy.deepcopy(model)
    monkeypatch.setattr(
        LAYERS[layout],
        "forward",
        lambda self, x: x.new_ones(*x.shape[:-1], self.out_features),
    )
    assert pack(model) == 0
    assert kinds(model) == kinds(twin)
    assert torch.equal(logits(model), logits(twin))
