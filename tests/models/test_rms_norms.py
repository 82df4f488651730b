"""Norms in one operator compute the same bits as the ones that models spell out."""

import pytest
import torch
from torch import nn

from hybridcore.conformance.tiny import TINY, tiny_model
from hybridcore.models.rms_norms import shorten

IDS = torch.tensor([[5, 9, 11, 3, 40, 7, 33, 21, 8]])
# they multiply by one more than the weight
OTHERS = {"gemma2", "gemma3"}


def logits(model):
    with torch.no_grad():
        return model(IDS, use_cache=False).logits


def randomised(kind):
    model = tiny_model(kind)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                parameter.normal_()
    return model


@pytest.mark.parametrize("kind", sorted(TINY))
def test_not_a_bit_of_the_logits_changes(kind):
    model = randomised(kind)
    before, names = logits(model), sorted(model.state_dict())
    count = shorten(model)
    assert torch.equal(logits(model), before)
    assert sorted(model.state_dict()) == names
    spelt = {type(m).__name__ for m in model.modules() if "RMSNorm" in str(type(m))}
    assert bool(count) == ("RMSNorm" in spelt)
    assert not spelt - {"RMSNorm"} or kind in OTHERS


def test_the_weights_are_the_models_own():
    model = randomised("qwen3")
    attention = model.model.layers[0].self_attn
    weight = attention.q_norm.weight
    assert shorten(model) == 4 * len(model.model.layers) + 1
    assert attention.q_norm.weight is weight
    assert type(attention.q_norm) is nn.RMSNorm
    assert attention.q_norm.eps == model.config.rms_norm_eps
    assert shorten(model) == 0


def test_what_somebody_watches_stays():
    model = randomised("llama")
    norm = model.model.layers[1].input_layernorm
    norm.register_forward_hook(lambda *args: None)
    assert shorten(model) == 2 * len(model.model.layers)
    assert model.model.layers[1].input_layernorm is norm


def test_what_adds_epsilon_elsewhere_stays():
    class OtherRMSNorm(nn.Module):
        eps = 1e-6

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(32))

        def forward(self, x):
            return self.weight * x / (x.pow(2).mean(-1, keepdim=True).sqrt() + self.eps)

    model = nn.Sequential(OtherRMSNorm())
    assert shorten(model) == 0


@pytest.mark.parametrize("where", ["forward", "types"])
def test_what_may_get_something_else_stays(where):
    class GatedRMSNorm(nn.RMSNorm):
        def forward(self, x, gate=None):
            return super().forward(x if gate is None else x * gate)

    class PlainRMSNorm(nn.RMSNorm):
        def forward(self, x):
            return super().forward(x)

    kind = GatedRMSNorm if where == "forward" else PlainRMSNorm
    model = nn.Sequential(kind(32, eps=1e-6), nn.Linear(32, 2))
    if where == "types":
        assert shorten(nn.Sequential(PlainRMSNorm(32, eps=1e-6))) == 1
        model[1].to(torch.bfloat16)
    assert shorten(model) == 0
