"""What the benchmarks count: tries, positions, logits, memory, hooks, operations."""

import random
import time
from types import SimpleNamespace

import pytest
import torch

from hybridcore.bench import decoding_limit
from hybridcore.bench.decoding_limit import DecodingLimit
from hybridcore.bench.forward_count import ForwardCount
from hybridcore.bench.hook_clock import HookClock
from hybridcore.bench.inspection import Inspection
from hybridcore.bench.logits_watch import LogitsWatch
from hybridcore.bench.machine import Machine
from hybridcore.bench.memory import PeakMemory
from hybridcore.bench.needed import cost_of
from hybridcore.bench.trie_minimum import trie_minimum
from hybridcore.conformance.tiny import tiny_model
from hybridcore.discovery import create
from hybridcore.dispatch import Dispatcher
from hybridcore.exchange import Step


def test_the_trie_minimum_is_the_number_of_distinct_prefixes(naive_trie):
    draw = random.Random(3)
    sequences = [
        (tuple(draw.choices(range(3), k=draw.randint(1, 9))), 1) for _ in range(60)
    ]
    sequences = [(tokens, draw.randint(1, len(tokens))) for tokens, _ in sequences]
    found = trie_minimum(sequences)
    assert (found.depths, found.scored) == naive_trie(sequences)
    assert found.tokens == sum(found.depths.values())


def test_keys_of_a_trie_stop_at_the_window():
    chain = trie_minimum([((1, 2, 3, 4), 1)])
    assert chain.keys() == 1 + 2 + 3 + 4
    assert chain.keys(window=2) == 1 + 2 + 2 + 2


def test_forwards_and_positions_are_counted_and_the_hook_goes_away():
    model = tiny_model("llama")
    count = ForwardCount({"llm": model})
    with count:
        model(torch.zeros(2, 5, dtype=torch.long))
        model(input_ids=torch.zeros(1, 3, dtype=torch.long))
    model(torch.zeros(1, 7, dtype=torch.long))
    assert (count.calls, count.tokens) == ({"llm": 2}, {"llm": 13})


def test_logits_alive_at_once_are_counted_and_weights_are_not():
    weight = torch.nn.Parameter(torch.ones(4, 1000))
    module = torch.nn.ParameterList([weight])
    with LogitsWatch([1000], [module]) as watch:
        first = torch.ones(3, 4) @ weight
        del first
        second = torch.ones(2, 4) @ weight
        third = second.log_softmax(-1)
    assert third.shape == (2, 1000)
    assert watch.peak == 4 * 1000 * 4  # two of two rows, more than one of three


def test_logits_in_blocks_are_counted():
    blocks = torch.ones(10, 4, 100)
    with LogitsWatch([1000]) as watch:
        product = torch.bmm(torch.ones(10, 2, 4), blocks)
        joined = product.transpose(0, 1).reshape(2, 1000)
    assert joined.shape == (2, 1000)
    assert watch.peak == 2 * 2 * 1000 * 4


def test_peak_memory_sees_what_came_and_went():
    with PeakMemory(torch.device("cpu")) as memory:
        block = torch.ones(2**25)
        del block
        for _ in range(3):
            torch.ones(2**22).sum()
    assert 2**26 < memory.bytes < 2**29


def test_the_operations_of_a_token_are_two_for_each_parameter():
    model = tiny_model("llama")
    cost = cost_of(model)
    embedding = model.get_input_embeddings().weight.numel()
    head = model.get_output_embeddings().weight.numel()
    total = sum(p.numel() for p in model.parameters())
    apart = 0 if model.config.tie_word_embeddings else head
    assert cost.body == total - embedding - apart
    assert cost.token_operations == 2 * (cost.body + head)
    one = trie_minimum([((1,), 1)])
    layers = model.config.num_hidden_layers
    assert cost.operations(one) == cost.token_operations + 4 * cost.channels * layers


def test_decoding_reads_the_weights_once_a_call_behind_the_prompts(monkeypatch):
    model, machine = tiny_model("llama"), Machine(torch.device("cpu"), torch.float32)
    machine.operations_seen, machine.bandwidth_seen = [1e30], [1e6]
    prompts = trie_minimum([((1, 2), 1), ((1, 3), 1)])
    monkeypatch.setattr(decoding_limit, "prompt_trie", lambda lm, load: prompts)
    limit = DecodingLimit(SimpleNamespace(model=model), range(3), machine)
    once = cost_of(model).weight_bytes / 1e6
    # three prompts are read in two calls where a call reads two of them
    calls = limit.seconds_of_calls(10, 17, 2, drafting=0.5)
    assert calls == pytest.approx(8 * once + 0.5)
    assert limit.drafting(model, 10, 1) == pytest.approx(7 * once)
    assert limit.seconds(17, 2) == pytest.approx(7 * once)
    # and where that takes longer, by what is to be computed
    machine.operations_seen, machine.bandwidth_seen = [1e6], [1e30]
    computed = cost_of(model).operations(prompts) + 14 * cost_of(model).token_operations
    assert limit.seconds_of_calls(10, 17, 2) == pytest.approx(computed / 1e6)


def test_the_clock_tells_the_layer_from_the_strategy():
    dispatcher = Dispatcher(create("uncertainty", {"threshold": 0.5}))
    clock = HookClock(dispatcher)
    step = Step(
        logits=torch.zeros(2, 8),
        law=None,
        pending=torch.zeros(2, dtype=torch.long),
        budget=torch.ones(2, dtype=torch.long),
        states=[None, None],
    )
    assert dispatcher.route_token(step).verdict.tolist() == [2, 2]
    assert clock.calls == 1
    assert 0 < clock.inside < clock.outside
    # route_token calls other methods of the layer, whose time is its own
    before = clock.outside
    start = time.perf_counter()
    dispatcher.route_token(step)
    assert clock.outside - before < time.perf_counter() - start
    assert clock.layer == pytest.approx(clock.outside - clock.inside)


def test_a_machine_has_rates():
    machine = Machine(torch.device("cpu"), torch.float32)
    machine.operations_seen, machine.bandwidth_seen = [1.0, 3.0, 2.0], [5.0]
    assert (machine.operations, machine.bandwidth) == (2.0, 5.0)


def test_calls_that_were_recorded_are_counted_by_the_side_itself():
    """They pass no module: the hooks saw three of forty."""
    seen = Inspection(
        [],
        counts={"llm_calls": 40, "llm_tokens_processed": 80},
        calls={"llm": 3, "slm": 7},
        tokens={"llm": 9, "slm": 14},
    )
    assert (seen.calls_of("llm"), seen.calls_of("slm")) == (40, 7)
    assert (seen.tokens_of("llm"), seen.tokens_of("slm")) == (80, 14)
    assert Inspection([], counts={}).calls_of("llm") is None
    assert Inspection([], counts={}).tokens_of("llm") is None
