"""What runners promise beside their logits: slots, prefixes, calls, hidden states."""

import functools

import pytest
import torch

from hybridcore.conformance.table import TableRunner
from hybridcore.conformance.tiny import tiny_model
from hybridcore.models import grouping, slot_cache, slots
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed
from hybridcore.models.slot_cache import _PATIENCE, GROWTH, SlotLayer

RUNNERS = {
    "slots": lambda model, slots: choose_runner(model, slots),
    "recompute": lambda model, slots: RecomputeRunner(model, slots),
    "table": lambda model, slots: TableRunner(torch.eye(64), slots),
}


@pytest.fixture(params=RUNNERS)
def make(request, tiny):
    return lambda slots: RUNNERS[request.param](tiny("llama"), slots)


def read(runner, slot, tokens, wanted=1):
    return runner.forward([Feed(slot, tokens, wanted)])


def whole(model, tokens, wanted):
    runner = RecomputeRunner(model, 1)
    return read(runner, runner.acquire(tokens)[0], tokens, wanted)


def test_slots_run_out(make):
    runner = make(1)
    runner.acquire([1])
    with pytest.raises(RuntimeError) as error:
        runner.acquire([2])
    assert str(error.value) == "all 1 slots are taken"


def test_what_no_engine_should_do(make):
    runner = make(2)
    slot, _ = runner.acquire([5, 6])
    for feeds, message in [
        ([Feed(slot, [5]), Feed(slot, [6])], f"a slot is fed twice: [{slot}, {slot}]"),
        ([Feed(1 - slot, [5])], f"slot {1 - slot} is not taken"),
        ([Feed(slot, [5], 2)], "2 logits wanted of 1 tokens"),
        ([Feed(slot, [], 0)], "0 logits wanted of 0 tokens"),
    ]:
        with pytest.raises(RuntimeError) as error:
            runner.forward(feeds)
        assert str(error.value) == message
        assert runner.length(slot) == 0
    with pytest.raises(RuntimeError) as error:
        runner.rollback(slot, 3)
    assert str(error.value) == f"slot {slot} holds 0 tokens, not 3"
    runner.release(slot)
    with pytest.raises(RuntimeError) as error:
        runner.release(slot)
    assert str(error.value) == f"slot {slot} is not taken"


def test_at_least_one_token_is_left_to_read(make):
    runner = make(2)
    slot, _ = runner.acquire([5, 6, 7])
    read(runner, slot, [5, 6, 7])
    runner.release(slot)
    slot, kept = runner.acquire([5, 6, 7])
    assert kept <= 2
    assert runner.length(slot) == kept


def test_a_table_holds_its_own_ids_only():
    runner = TableRunner(torch.eye(4), 1)
    runner.acquire([1])
    for bad in (4, -1):
        with pytest.raises(RuntimeError):
            read(runner, 0, [bad])
    logits = read(runner, 0, [3, 1], 2)
    assert logits.tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]


def test_feeds_in_any_order(tiny):
    """Logits come in the order of the feeds, whether slots are neighbours or not."""
    model = tiny("llama")
    fast, slow = choose_runner(model, 6), RecomputeRunner(model, 6)
    for slot in range(6):
        assert fast.acquire([5])[0] == slow.acquire([5])[0] == slot
    for order in ([3, 0, 2, 1], [4, 3, 5], [5, 0, 2]):
        feeds = [Feed(i, [5 + i] * (1 + i % 3), 1 + i % 2 * (i % 3)) for i in order]
        torch.testing.assert_close(fast.forward(feeds), slow.forward(feeds))


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma3"])
def test_prefixes_are_reused_and_copied(kind, tiny, monkeypatch):
    monkeypatch.setattr(slots, "_WORTH_COPYING", 4)
    model = tiny(kind)
    fast = choose_runner(model, 3)
    prefix = list(range(3, 30))
    first, kept = fast.acquire([*prefix, 31])
    assert kept == 0
    read(fast, first, [*prefix, 31])
    # the first is taken: its keys are copied
    second, kept = fast.acquire([*prefix, 40, 41])
    assert second != first
    assert kept == len(prefix)
    copied = read(fast, second, [40, 41], 2)
    expected = whole(model, [*prefix, 40, 41], 2)
    torch.testing.assert_close(copied, expected, rtol=1e-4, atol=1e-4)
    # a free slot that holds it is rolled back to it, never read again
    fast.release(first)
    again, kept = fast.acquire([*prefix, 31])
    assert (again, kept) == (first, len(prefix))
    expected = whole(model, [*prefix, 31], 1)
    torch.testing.assert_close(read(fast, again, [31]), expected, rtol=1e-4, atol=1e-4)


def test_a_few_tokens_are_not_copied(tiny):
    fast = choose_runner(tiny("llama"), 2)
    slot, _ = fast.acquire(list(range(20)))
    read(fast, slot, list(range(20)))
    assert fast.acquire([*range(15), 40])[1] == 0


def test_the_cache_grows_by_blocks_and_keeps_what_it_holds(tiny):
    model = tiny("qwen3")
    fast = choose_runner(model, 2)
    slot, _ = fast.acquire([5])
    tokens = [3 + i * 7 % 50 for i in range(GROWTH + 9)]
    read(fast, slot, tokens[: GROWTH - 2])
    assert fast._reader.cache.layers[0].keys.shape == (2, 2, GROWTH, 8)
    got = read(fast, slot, tokens[GROWTH - 2 :], 3)
    assert fast._reader.cache.layers[0].keys.shape == (2, 2, 2 * GROWTH, 8)
    torch.testing.assert_close(got, whole(model, tokens, 3), rtol=1e-4, atol=1e-4)


def cache_bytes(runner):
    return sum(
        t.nbytes for x in runner._reader.cache.layers for t in (x.keys, x.values)
    )


def test_memory_stays_bounded_by_the_longest_live_row():
    """2,000 short requests, a long one every 500: its memory is given back."""
    runner = choose_runner(tiny_model("llama", num_hidden_layers=1), 4)
    block = 4 * GROWTH * runner.bytes_per_token
    long = [3 + i * 7 % 50 for i in range(5 * GROWTH)]
    for turn in range(500):
        taken = [runner.acquire([3 + turn % 40, i, 5])[0] for i in range(4)]
        for slot in taken[1:]:
            runner.rollback(slot, 0)
        feeds = [Feed(slot, [3 + turn % 40, i, 5]) for i, slot in enumerate(taken[1:])]
        if turn % 125 == 30:
            runner.rollback(taken[0], 0)
            feeds.append(Feed(taken[0], long))
        runner.forward(feeds)
        for slot in taken:
            runner.release(slot)
        most = 5 if 30 <= turn % 125 <= 30 + _PATIENCE else 1
        assert cache_bytes(runner) <= most * block
    assert most == 1


def test_what_is_given_back_is_held_by_nobody(tiny, monkeypatch):
    """Prefixes in free slots are cut, taken ones keep what they hold."""
    monkeypatch.setattr(slot_cache, "_PATIENCE", 0)
    model = tiny("llama")
    runner = choose_runner(model, 3)
    long = [3 + i * 7 % 50 for i in range(4 * GROWTH)]
    slot, _ = runner.acquire(long)
    read(runner, slot, long)
    other, _ = runner.acquire([5])
    for _ in range(3):
        read(runner, other, [7])
    assert runner._reader.cache.capacity == 4 * GROWTH
    runner.release(slot)
    read(runner, other, [9, 11])
    assert runner._reader.cache.capacity == GROWTH
    again, kept = runner.acquire(long)
    assert (again, kept) == (slot, GROWTH)
    expected = whole(model, long, 2)
    got = read(runner, again, long[kept:], 2)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    got = read(runner, other, [13])
    expected = whole(model, [7, 7, 7, 9, 11, 13], 1)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_long_reads_are_cut_into_calls(tiny, monkeypatch):
    model = tiny("mistral")
    tokens = [3 + i % 50 for i in range(90)]
    monkeypatch.setattr(grouping, "CALL_TOKENS", 16)
    for wanted in (3, 10, 40, 90):
        runner = choose_runner(model, 1)
        slot, _ = runner.acquire(tokens)
        got = read(runner, slot, tokens, wanted)
        assert runner.forwards == 6
        expected = whole(model, tokens, wanted)
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_bytes_of_a_token_are_known_before_the_first_read(tiny):
    runner = choose_runner(tiny("llama"), 2)
    # three layers, keys and values, two heads of eight, four bytes each
    assert runner.bytes_per_token == 3 * 2 * 2 * 8 * 4
    assert choose_runner(tiny("deepseek_v3"), 2).bytes_per_token > 0


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2"])
def test_hidden_states_of_wanted_positions(kind, tiny):
    model = tiny(kind)
    fast, slow = choose_runner(model, 2), RecomputeRunner(model, 2)
    for runner in (fast, slow):
        runner.want_hidden = True
        runner.acquire([1])
        runner.acquire([2])
        runner.forward([Feed(0, [5, 6, 7], 2), Feed(1, [8], 1)])
    with torch.inference_mode():
        states = model(torch.tensor([[5, 6, 7]]), output_hidden_states=True)
    assert slow.last_hidden.shape == (3, 32)
    torch.testing.assert_close(fast.last_hidden, slow.last_hidden)
    torch.testing.assert_close(slow.last_hidden[:2], states.hidden_states[-1][0, -2:])


@pytest.mark.parametrize(
    ("kind", "order", "in_place"),
    [
        ("llama", [2, 1, 3], True),
        ("llama", [0, 2], True),
        # its own attention wants the rows as one tensor
        ("gemma2", [2, 1, 3], True),
        ("gemma2", [3], True),
        ("gemma2", [0, 2], False),
    ],
)
def test_keys_are_read_in_place(kind, order, in_place, tiny, monkeypatch):
    """Only rows that are no run of slots cost a copy, and only a model's own way."""
    runner = choose_runner(tiny(kind), 4)
    for _ in range(4):
        runner.acquire([5])
    seen = set()
    update = SlotLayer.update

    def spied(self, *args, **kwargs):
        found = update(self, *args, **kwargs)
        for given, own in zip(found, (self.keys, self.values), strict=True):
            seen.add(
                given.untyped_storage().data_ptr() == own.untyped_storage().data_ptr()
            )
        return found

    monkeypatch.setattr(SlotLayer, "update", spied)
    runner.forward([Feed(slot, [5]) for slot in order])
    assert seen == {in_place}


def test_recomputing_keeps_no_cache(tiny, monkeypatch):
    model = tiny("llama")
    runner = RecomputeRunner(model, 1)
    given = []
    monkeypatch.setattr(
        type(model.model),
        "forward",
        spy(type(model.model).forward, given),
    )
    read(runner, runner.acquire([5])[0], [5])
    assert [kwargs["use_cache"] for kwargs in given] == [False]


def spy(function, given):
    @functools.wraps(function)
    def spied(*args, **kwargs):
        given.append(kwargs)
        return function(*args, **kwargs)

    return spied


def test_logits_may_be_changed_in_place(tiny):
    """They are no inference tensors: whoever gets them may rule tokens out."""
    runner = choose_runner(tiny("llama"), 1)
    slot, _ = runner.acquire([5])
    logits = read(runner, slot, [5, 6])
    logits[:, 3] = -torch.inf
    assert not logits.is_inference()
