"""The probe trusts what a model computes, not what it is called."""

import logging
import math

import pytest
import torch
from transformers import (
    BertConfig,
    BertLMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

from hybridcore.conformance.tiny import TINY, tiny_model
from hybridcore.errors import ModelError
from hybridcore.models import attention, masks, probe
from hybridcore.models.calling import ModelCall
from hybridcore.models.runner import Feed
from hybridcore.models.trial import errors

PEEKING = masks.Pattern(lambda key, query: key <= query + 1, lambda query: 0)
UNSLOTTED = {
    "bloom": "its forward takes no position_ids",
    "mamba": "its forward takes no position_ids",
    "gpt_neo": "logits differ from recomputed ones by",
    "lfm2": "its layers of type 'conv' cannot take tokens back",
}


@pytest.mark.parametrize("kind", UNSLOTTED)
def test_models_without_a_slot_cache_are_recomputed(kind, caplog):
    model = tiny_model(kind)
    with caplog.at_level(logging.WARNING):
        runner = probe.choose_runner(model, 2)
    assert runner.kind == "recompute"
    assert runner.reason.startswith(UNSLOTTED[kind])
    ours = [r for r in caplog.records if r.name.startswith("hybridcore")]
    assert [r.getMessage() for r in ours] == [
        f"model {type(model).__name__} runs without a cache, which is slow: "
        + runner.reason
    ]
    slot, _ = runner.acquire([3, 4, 5])
    got = runner.forward([Feed(slot, [3, 4, 5], 2)])
    with torch.inference_mode():
        expected = model(torch.tensor([[3, 4, 5]]), use_cache=False).logits[0, -2:]
    torch.testing.assert_close(got, expected)


def test_the_fastest_runner_has_no_reason(tiny, caplog):
    assert probe.choose_runner(tiny("llama"), 2).reason == ""
    assert not [r for r in caplog.records if r.name.startswith("hybridcore")]


# --- what is wrong is noticed


@pytest.mark.parametrize("kind", ["mistral", "gemma3", "llama4"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_wrong_window_is_noticed(kind, dtype, monkeypatch):
    """Even where the window is far longer than what the probe reads."""
    long = {"attention_chunk_size" if kind == "llama4" else "sliding_window": 200}
    model = tiny_model(kind, **long).to(dtype)
    right = masks.mask_plans
    assert probe.choose_runner(model, 2).kind == "slots"

    def without(config):
        plan = right(config)[0]
        blind = dict.fromkeys(plan.patterns, masks.causal)
        return [masks.MaskPlan(blind, plan.single, plan.additive)]

    monkeypatch.setattr(probe, "mask_plans", without)
    runner = probe.choose_runner(model, 2)
    assert runner.kind == "recompute"
    assert "differ" in runner.reason


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2", "qwen3_moe"])
def test_a_look_ahead_is_noticed(kind, dtype, monkeypatch):
    right = masks.mask_plans

    def peeking(config):
        plan = right(config)[0]
        blind = dict.fromkeys(plan.patterns, PEEKING)
        return [masks.MaskPlan(blind, plan.single, plan.additive)]

    monkeypatch.setattr(probe, "mask_plans", peeking)
    assert probe.choose_runner(tiny_model(kind).to(dtype), 2).kind == "recompute"


@pytest.mark.parametrize("kind", sorted(set(TINY) - set(UNSLOTTED)))
def test_who_attends_in_pieces(kind, tiny):
    """Soft caps and sinks are left to the model."""
    runner = probe.choose_runner(tiny(kind), 2)
    assert runner.in_pieces == (kind not in {"gemma2", "gpt_oss"})


@pytest.mark.parametrize("short", [True, False])
def test_attention_that_a_model_misunderstands_is_its_own(short, tiny, monkeypatch):
    right = attention._attend

    def wrong(query, key, value, piece, scale):
        few = piece.mask.shape[2] <= attention.SHORT
        return right(query, key, value, piece, scale * (0.5 if few == short else 1.0))

    monkeypatch.setattr(attention, "_attend", wrong)
    runner = probe.choose_runner(tiny("llama"), 2)
    assert (runner.kind, runner.in_pieces) == ("slots", False)


def test_a_wrong_rollback_is_noticed(tiny, monkeypatch):
    monkeypatch.setattr(probe.SlotRunner, "rollback", lambda self, slot, length: None)
    assert probe.choose_runner(tiny("llama"), 2).kind == "recompute"


def test_a_window_of_a_models_own_is_met_by_a_longer_trial():
    """GPT-Neo's lies in a buffer made at load: nothing can shorten it."""
    model = tiny_model("gpt_neo", window_size=100)
    runner = probe.choose_runner(model, 2)
    assert runner.kind == "recompute"
    assert "differ" in runner.reason
    # a text can never reach this one
    whole = tiny_model("gpt_neo", window_size=300)
    assert probe.long_trial_length(whole.config) == 0


def test_a_window_too_long_to_be_tried_is_not_trusted():
    model = tiny_model("llama")
    model.config.max_position_embeddings = 100_000
    model.config.local_window = 50_000
    runner = probe.choose_runner(model, 2)
    assert runner.reason == "its configuration has a window of 50000 tokens"


def test_a_window_that_the_probe_shortened_is_itself_again():
    model = tiny_model("mistral", sliding_window=200)
    assert probe.choose_runner(model, 2).kind == "slots"
    assert model.config.sliding_window == 200


@pytest.mark.parametrize(
    ("dtype", "off", "by", "noise", "kind"),
    [
        (torch.float32, 1, 0.01, 0.0, "recompute"),
        (torch.float32, 1, 0.001, 0.0, "slots"),
        # rounding is let pass, an expert that turns over here and there too
        (torch.bfloat16, 20, 0.04, 0.0, "slots"),
        (torch.bfloat16, 4, 0.9, 0.0, "slots"),
        (torch.bfloat16, 8, 0.9, 0.0, "recompute"),
        (torch.float16, 20, 0.04, 0.0, "recompute"),
        # a model that rounds coarsely is given more, but not everything
        (torch.float16, 20, 0.04, 0.015, "slots"),
        (torch.float16, 20, 0.2, 0.2, "recompute"),
        (torch.float32, 1, math.nan, 0.0, "recompute"),
        (torch.float32, 1, 0.0, math.nan, "slots"),
    ],
)
def test_what_counts_as_equal(dtype, off, by, noise, kind, monkeypatch):
    found = torch.zeros(20, dtype=torch.float64)
    found[:off] = by
    monkeypatch.setattr(probe, "short_trial", lambda fast, slow: found)
    monkeypatch.setattr(probe, "causality_error", lambda slow: noise)
    assert probe.choose_runner(tiny_model("llama").to(dtype), 1).kind == kind


def test_errors_are_in_spreads():
    expected = torch.tensor([[0.0, 2.0, -torch.inf], [1.0, 3.0, 5.0]])
    found = expected.clone()
    assert errors(found, expected).tolist() == [0.0, 0.0]
    found[1] += 0.2
    assert errors(found, expected)[1].item() == pytest.approx(0.1)
    found[0, 2] = 0.0
    # ruled out by one alone: no number, which passes for no match
    assert math.isnan(errors(found, expected)[0].item())


# --- what is right is kept


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", sorted(set(TINY) - set(UNSLOTTED)))
def test_half_precision_keeps_its_slots(kind, dtype):
    runner = probe.choose_runner(tiny_model(kind).to(dtype), 2)
    assert runner.kind == "slots", runner.reason
    slot, _ = runner.acquire([5])
    assert runner.forward([Feed(slot, [5])]).dtype == torch.float32


def test_mixed_precision(tiny):
    runner = probe.choose_runner(tiny("llama"), 2, torch.bfloat16)
    assert runner.kind == "slots"
    slot, _ = runner.acquire([5])
    logits = runner.forward([Feed(slot, [5, 6])])
    assert logits.dtype == torch.float32
    exact = tiny("llama")(torch.tensor([[5, 6]])).logits[0, -1:]
    assert 1e-4 < (logits - exact).abs().max() < 0.5


class Wrapped(torch.nn.Module):
    """A model in a wrapper, as PEFT does it: its forward names next to nothing."""

    def __init__(self, model):
        super().__init__()
        self.inner = model
        self.config, self.dtype, self.device = model.config, model.dtype, model.device

    def get_base_model(self):
        return self.inner

    def get_output_embeddings(self):
        return self.inner.get_output_embeddings()

    def forward(self, *args, **kwargs):
        return self.inner(*args, **kwargs)


class Remote(Wrapped):
    """Code from a hub: no ``logits_to_keep``, and a tuple for an answer."""

    get_base_model = None

    def __getattribute__(self, name):
        if name == "get_base_model":
            raise AttributeError(name)
        return super().__getattribute__(name)

    def forward(
        self, input_ids, attention_mask=None, position_ids=None, past_key_values=None
    ):
        return self.inner(
            input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
        ).to_tuple()


@pytest.mark.parametrize("wrapper", [Wrapped, Remote])
def test_wrapped_and_remote_models(wrapper, tiny):
    plain, other = (
        probe.choose_runner(m, 2) for m in (tiny("llama"), wrapper(tiny("llama")))
    )
    assert other.kind == "slots", other.reason
    for runner in (plain, other):
        runner.acquire([5])
    feed = Feed(0, [5, 6, 7], 2)
    torch.testing.assert_close(other.forward([feed]), plain.forward([feed]))
    assert not ModelCall(Wrapped(tiny("llama"))).missing("position_ids")


# --- what is refused


def test_encoder_decoders_are_refused():
    config = T5Config(
        vocab_size=32, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    with pytest.raises(ModelError) as error:
        probe.choose_runner(T5ForConditionalGeneration(config), 1)
    assert "is an encoder-decoder: expected a causal LM" in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_models_that_look_ahead_are_refused(dtype):
    config = BertConfig(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    with pytest.raises(ModelError) as error:
        probe.choose_runner(BertLMHeadModel(config).eval().to(dtype), 1)
    assert "is not causal: tokens to come change its logits" in str(error.value)
    config.is_decoder = True
    torch.manual_seed(0)
    decoder = BertLMHeadModel(config).eval().to(dtype)
    assert probe.choose_runner(decoder, 1).kind == "slots"


def test_models_that_cannot_read_are_refused(monkeypatch):
    model = tiny_model("llama")

    def broken(**kwargs):
        raise ValueError("no kernel for this device\nsecond line")

    monkeypatch.setattr(model.model, "forward", broken)
    with pytest.raises(ModelError) as error:
        probe.choose_runner(model, 1)
    first = str(error.value).splitlines()[0]
    assert first.endswith("tokens: ValueError: no kernel for this device")
    assert isinstance(error.value.__cause__, ValueError)
