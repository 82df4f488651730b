"""``batch_size=auto``: the rows for which the tightest device has room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma4TextConfig,
    LlamaConfig,
    RwkvConfig,
)

from hybridcore import HybridLM
from hybridcore.conformance.tiny import TINY, tiny_model
from hybridcore.harness import batch_size
from hybridcore.models import free_memory
from hybridcore.models.probe import choose_runner
from hybridcore.models.slots import SlotRunner

from .conftest import SPECIALS, byte_tokenizer, generation, likelihood, save

UNSLOTTED = {"bloom", "mamba", "gpt_neo", "lfm2"}
FIRST, SECOND, THIRD = (torch.device("cuda", i) for i in range(3))


def test_rows_are_computed_from_memory(
    loaded: HybridLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded.model
    # 3 layers, keys and values, 2 heads of 8, float32
    assert batch_size.cache_bytes(model) == 3 * 2 * 2 * 8 * 4
    monkeypatch.setattr(batch_size, "free_bytes", lambda device: 10**6)
    few = batch_size.rows_in_flight([model], 96, 5, 64)
    assert 1 < few < 64
    assert batch_size.rows_in_flight([model, model], 96, 5, 64) < few
    assert batch_size.rows_in_flight([model], 10**9, 5, 64) == 1
    # the logits of a block: 258 wide, four copies in float32
    assert batch_size.rows_in_flight([model], 1, 40, 64) < few
    assert batch_size.rows_scored([model], 1, 64) > batch_size.rows_scored(
        [model], 96, 64
    )
    monkeypatch.undo()
    cpu = torch.device("cpu")
    assert free_memory.free_bytes(cpu) > 10**6
    # what is free is for all processes of this machine
    memory = SimpleNamespace(available=8000)
    monkeypatch.setattr(free_memory.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(free_memory, "_cgroup_bytes", lambda: [6000])
    assert free_memory.free_bytes(cpu) == 6000
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert free_memory.free_bytes(cpu) == 1500


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> dict[torch.device, int]:
    """Let devices have this much memory free; a model's layers lie where it says."""
    free: dict[torch.device, int] = {}
    monkeypatch.setattr(batch_size, "free_bytes", free.__getitem__)
    monkeypatch.setattr(batch_size, "layer_devices", lambda model: model.lies)
    monkeypatch.setattr(batch_size, "cache_bytes", lambda model: 4 * 8192)
    return free


def laid(*devices: torch.device) -> Any:
    """Return what the computation reads of a model of four layers."""
    config = LlamaConfig(vocab_size=256, hidden_size=1024)
    return SimpleNamespace(config=config, dtype=torch.float32, lies=list(devices))


def test_the_tightest_device_of_the_models_decides(
    spread: dict[torch.device, int],
) -> None:
    big, small = laid(FIRST, FIRST, FIRST, SECOND), laid(SECOND)
    # of four layers with keys and values of 1024 each; logits of four copies
    layers, logits = 4 * 8192 * 1.5 * 100, 4 * 4 * 256
    spread |= {FIRST: 10**12, SECOND: int(10 * (layers / 4 + logits) / 0.8) + 1}
    rows = batch_size.rows_in_flight
    assert rows([big], 100, 1, 64) == 10
    assert rows([big, small], 100, 1, 64) == 2, "the small one lies there as well"
    spread[SECOND] = 10**12
    assert rows([big], 100, 1, 64) == 64
    spread[FIRST] = int(10 * (layers * 3 / 4 + logits) / 0.8) + 1
    assert rows([big, small], 100, 1, 64) == 10


def test_scoring_takes_the_tightest_device_too(spread: dict[torch.device, int]) -> None:
    big, small = laid(FIRST, FIRST, FIRST, SECOND), laid(SECOND)
    spread |= {FIRST: 10**12, SECOND: 10**12, THIRD: 1}
    assert batch_size.rows_scored([big, small], 10, 64) == 64, (
        "no model is on the third"
    )
    others = 10 * (4 * 4 * 256 + 16 * 4 * 1024)
    one = others + 10 * 4 * 8192 / 4
    spread[SECOND] = int(6 * one / 0.8) + 1
    assert batch_size.rows_scored([big], 10, 64) == 6
    one = others + 10 * 4 * 8192
    spread[SECOND] = int(6 * one / 0.8) + 1
    assert batch_size.rows_scored([big, small], 10, 64) == 6, "one at a time"


@pytest.mark.parametrize("kind", sorted({*TINY} - UNSLOTTED))
def test_bytes_of_a_token_are_those_that_the_slots_hold(kind: str) -> None:
    model = tiny_model(kind)
    runner = choose_runner(model, 1)
    assert isinstance(runner, SlotRunner)
    assert batch_size.cache_bytes(model) == runner.bytes_per_token > 0


def test_layers_that_differ_and_share_keys() -> None:
    config = Gemma4TextConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        global_head_dim=16,
        layer_types=["sliding_attention", "full_attention"] * 2,
        num_kv_shared_layers=2,
        hidden_size_per_layer_input=8,
        vocab_size_per_layer_input=64,
    )
    model = AutoModelForCausalLM.from_config(config)
    # keys and values of two heads in float32; the later layers read the first two's
    assert batch_size.cache_bytes(model) == 2 * 2 * 4 * (8 + 16)


def test_a_model_without_attention_has_no_cache() -> None:
    rwkv = RwkvConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2)
    for model in (tiny_model("mamba"), AutoModelForCausalLM.from_config(rwkv)):
        assert batch_size.cache_bytes(model) == 0


def test_a_model_that_cannot_cache_has_no_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forward(input_ids: torch.Tensor, use_cache: bool = False) -> Any:
        raise ValueError("no cache here")

    model = tiny_model("llama")
    monkeypatch.setattr(model, "forward", forward)
    assert batch_size.cache_bytes(model) == 0


def test_mamba_answers_with_a_batch_size_of_auto(
    make: Callable[..., HybridLM], tmp_path: Path
) -> None:
    mamba = tiny_model("mamba", vocab_size=258, **SPECIALS)
    folder = save(tmp_path, mamba, byte_tokenizer())
    asked = [generation("one two", max_gen_toks=3)], [likelihood("one", " two")]
    found = []
    for size in ("auto", 1):
        lm = make(slm=folder, llm=folder, strategy="speculative", batch_size=size)
        found.append((lm.generate_until(asked[0]), lm.loglikelihood(asked[1])))
    assert found[0] == found[1]
