"""The probe trusts what a model computes, not what it is called."""

import logging

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from hybridcore.conformance.tiny import tiny_model
from hybridcore.errors import ModelError
from hybridcore.models import masks, probe
from hybridcore.models.parameters import active_parameters
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed


@pytest.mark.parametrize("kind", ["bloom", "mamba", "gpt_neo"])
def test_models_without_a_slot_cache_are_recomputed(kind, caplog):
    model = tiny_model(kind)
    with caplog.at_level(logging.WARNING):
        runner = probe.choose_runner(model, 2)
    assert runner.kind == "recompute"
    assert runner.reason
    assert runner.reason in caplog.text
    slot, _ = runner.acquire([3, 4, 5])
    got = runner.forward([Feed(slot, [3, 4, 5], 2)])
    with torch.inference_mode():
        expected = model(torch.tensor([[3, 4, 5]]), use_cache=False).logits[0, -2:]
    torch.testing.assert_close(got, expected)


def test_a_wrong_mask_is_noticed(monkeypatch):
    """A window longer than the probe's text is seen to slide all the same."""
    wrong = masks.MaskPlan({"full": masks.causal}, True, False)
    monkeypatch.setattr(probe, "mask_plans", lambda config: [wrong])
    runner = probe.choose_runner(tiny_model("mistral", sliding_window=200), 2)
    assert runner.kind == "recompute"
    assert "differ" in runner.reason


def test_a_window_that_the_probe_shortened_is_itself_again():
    model = tiny_model("mistral", sliding_window=200)
    assert probe.choose_runner(model, 2).kind == "slots"
    assert model.config.sliding_window == 200


def test_a_wrong_rollback_is_noticed(monkeypatch):
    def keep(self, slot, length):
        pass

    monkeypatch.setattr(probe.SlotRunner, "rollback", keep)
    assert probe.choose_runner(tiny_model("llama"), 2).kind == "recompute"


def test_half_precision_keeps_its_slots():
    model = tiny_model("llama").bfloat16()
    assert probe.choose_runner(model, 2).kind == "slots"


def test_encoder_decoders_are_refused():
    config = T5Config(
        vocab_size=32, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    with pytest.raises(ModelError, match="encoder-decoder"):
        probe.choose_runner(T5ForConditionalGeneration(config), 1)


def test_experts_count_by_their_routed_share():
    model = tiny_model("qwen3_moe")
    experts = sum(p.numel() for n, p in model.named_parameters() if ".experts." in n)
    whole = sum(p.numel() for p in model.parameters())
    assert experts > 0
    assert active_parameters(model) == whole - experts // 2
    assert RecomputeRunner(model, 1).parameters == active_parameters(model)
