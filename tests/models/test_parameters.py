"""The unit of cost: the parameters that one token meets."""

import pytest
import torch
from transformers import LlamaConfig

from hybridcore.conformance.tiny import tiny_model
from hybridcore.models.parameters import active_parameters


def total(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mamba", "gemma3"])
def test_dense_models_count_all(kind, tiny):
    assert active_parameters(tiny(kind)) == total(tiny(kind))


def test_tied_embeddings_count_once():
    tied = tiny_model("llama", tie_word_embeddings=True)
    loose = tiny_model("llama", tie_word_embeddings=False)
    assert active_parameters(loose) - active_parameters(tied) == 64 * 32


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("qwen3_moe", 1 / 2),
        ("mixtral", 1 / 2),
        ("deepseek_v3", 1 / 2),
        ("llama4", 1 / 4),
    ],
)
def test_experts_count_by_their_routed_share(kind, share, tiny):
    model = tiny(kind)
    experts = sum(p.numel() for n, p in model.named_parameters() if ".experts." in n)
    assert experts > 0
    assert active_parameters(model) == total(model) - experts * (1 - share)


def test_experts_without_a_share_count_whole():
    model = tiny_model("mixtral")
    model.config.num_experts_per_tok = 0
    assert active_parameters(model) == total(model)


class Stacked(torch.nn.Module):
    """Four experts in one tensor of another name, as JetMoe has them."""

    def __init__(self):
        super().__init__()
        self.input_linear = torch.nn.Parameter(torch.zeros(4, 3, 2))
        self.norm = torch.nn.Parameter(torch.zeros(7))
        self.config = LlamaConfig()
        self.config.num_local_experts, self.config.num_experts_per_tok = 4, 1


def test_experts_are_known_by_their_shape():
    assert active_parameters(Stacked()) == 3 * 2 + 7


class Packed(torch.nn.Module):
    """A linear layer in four bits: two weights a byte."""

    def __init__(self, linear):
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        packed = torch.zeros(linear.weight.numel() // 2, 1, dtype=torch.uint8)
        self.weight = torch.nn.Parameter(packed, requires_grad=False)


def test_packed_weights_count_unpacked():
    model = tiny_model("llama")
    whole = total(model)
    for layer in model.model.layers:
        layer.mlp.up_proj = Packed(layer.mlp.up_proj)
    assert total(model) < whole
    assert active_parameters(model) == whole
