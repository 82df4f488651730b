"""Models whose weights accelerate fetches layer by layer, from memory or from disk."""

import accelerate
import pytest
import torch

from hybridcore.conformance.tiny import tiny_model
from hybridcore.models.packing import pack
from hybridcore.models.parameters import active_parameters
from hybridcore.models.placement import execution_device, layer_devices
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed
from hybridcore.models.tree_probe import choose_tree_reader
from hybridcore.models.tree_view import Segment
from hybridcore.models.trial import errors

CPU = torch.device("cpu")
# weights of the last layer lie on disk, the others where they are used
SPREAD = {
    **dict.fromkeys(["model.embed_tokens", "model.rotary_emb", "model.norm"], "cpu"),
    **dict.fromkeys(["model.layers.0", "model.layers.1", "lm_head"], "cpu"),
    "model.layers.2": "disk",
}
HOW = {
    "cpu": lambda model, folder: accelerate.cpu_offload(model, CPU),
    "disk": lambda model, folder: accelerate.disk_offload(model, folder, CPU),
    "spread": lambda model, folder: accelerate.dispatch_model(
        model, SPREAD, main_device="cpu", offload_dir=folder
    ),
}
TOKENS = [5, 9, 11, 3, 40, 7, 33]


@pytest.fixture(params=HOW)
def offloaded(request, tmp_path):
    model = tiny_model("llama", tie_word_embeddings=True)
    HOW[request.param](model, str(tmp_path))
    assert any(parameter.is_meta for parameter in model.parameters())
    return model


@pytest.fixture(scope="module")
def expected():
    with torch.inference_mode():
        model = tiny_model("llama", tie_word_embeddings=True)
        return model(torch.tensor([TOKENS])).logits[0]


def test_its_rows_and_its_trees(offloaded, expected):
    runner = choose_runner(offloaded, 2)
    assert (runner.kind, runner.in_pieces, runner.device) == ("slots", True, CPU)
    slot, _ = runner.acquire(TOKENS)
    runner.forward([Feed(slot, TOKENS[:3])])
    found = runner.forward([Feed(slot, TOKENS[3:], 4)])
    assert errors(found, expected[3:]).max() < 1e-5
    tree = choose_tree_reader(offloaded)
    assert tree.device == CPU
    tree.read([], [Segment(0, TOKENS)])
    found = tree.logits(tree.hidden(torch.arange(7)))
    assert errors(found, expected).max() < 1e-5


def test_it_can_be_recomputed(offloaded, expected):
    runner = RecomputeRunner(offloaded, 1)
    slot, _ = runner.acquire(TOKENS)
    found = runner.forward([Feed(slot, TOKENS, 7)])
    assert errors(found, expected).max() < 1e-5


def test_its_layers_are_not_packed_and_its_parameters_count_once(offloaded):
    plain = tiny_model("llama", tie_word_embeddings=True)
    assert pack(offloaded) == 0
    assert active_parameters(offloaded) == active_parameters(plain)


def test_a_model_in_one_piece_is_where_its_weights_are(tiny):
    assert execution_device(tiny("llama")) == CPU
    assert execution_device(tiny_model("llama").to("meta")).type == "meta"


def test_layers_compute_where_their_weights_are_fetched_to(offloaded, tiny):
    assert layer_devices(offloaded) == [CPU] * 3
    spread = tiny_model("llama")
    spread.model.layers[1].to("meta")
    meta = torch.device("meta")
    assert layer_devices(spread) == [CPU, meta, CPU]
    assert layer_devices(tiny("gpt2")) == [CPU] * 2
    assert layer_devices(tiny_model("llama", num_hidden_layers=0)) == [CPU]
