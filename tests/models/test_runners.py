"""The slot runner gives what recomputing gives, whatever is done to the rows."""

import random

import pytest
import torch

from hybridcore.conformance.tiny import TINY, tiny_model
from hybridcore.models import grouping, slots
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed

UNSLOTTED = {"bloom", "mamba", "gpt_neo"}
SLOTTED = sorted(set(TINY) - UNSLOTTED)


def play(fast, slow, seed, turns=25):
    """Random ragged reads of random subsets, junk, roll-backs, new sequences."""
    rng = random.Random(seed)
    live, worst, scale = {}, 0.0, 0.0
    for _ in range(turns):
        while len(live) < 3:
            prompt = [rng.randrange(3, 60) for _ in range(rng.randrange(2, 14))]
            a, kept = fast.acquire(prompt)
            b, _ = slow.acquire(prompt)
            live[a] = b
            if kept:
                slow.forward([Feed(b, prompt[:kept])])
            first = [Feed(a, prompt[kept:], 1)], [Feed(b, prompt[kept:], 1)]
            worst, scale = compare(fast, slow, first, worst, scale)
        feeds = []
        for slot in rng.sample(sorted(live), rng.randrange(1, 4)):
            tokens = [rng.randrange(3, 60) for _ in range(rng.randrange(1, 6))]
            feeds.append((slot, tokens, rng.randrange(1, len(tokens) + 1)))
        pair = (
            [Feed(s, t, w) for s, t, w in feeds],
            [Feed(live[s], t, w) for s, t, w in feeds],
        )
        worst, scale = compare(fast, slow, pair, worst, scale)
        for slot, tokens, _ in feeds:
            length = fast.length(slot) - rng.randrange(len(tokens) + 1)
            fast.rollback(slot, length)
            slow.rollback(live[slot], length)
        if rng.random() < 0.2:
            slot = rng.choice(sorted(live))
            fast.release(slot)
            slow.release(live.pop(slot))
    return worst, scale


def compare(fast, slow, feeds, worst, scale):
    a, b = fast.forward(feeds[0]), slow.forward(feeds[1])
    assert a.shape == b.shape
    assert a.dtype == torch.float32
    return max(worst, (a - b).abs().max().item()), max(scale, b.abs().max().item())


@pytest.mark.parametrize("kind", SLOTTED)
def test_slots_against_recompute(kind):
    model = tiny_model(kind)
    fast = choose_runner(model, 3)
    assert fast.kind == "slots", fast.reason
    worst, scale = play(fast, RecomputeRunner(model, 3), seed=1)
    assert worst < 2e-4 * max(1.0, scale), f"off by {worst} at scale {scale}"


def test_slots_in_any_order_and_many_rows():
    model = tiny_model("llama")
    fast, slow = choose_runner(model, 6), RecomputeRunner(model, 6)
    prompts = [[5, 6, 7], [8], [9, 10], [11, 12, 13, 14]]
    for prompt in prompts:
        assert fast.acquire(prompt)[0] == slow.acquire(prompt)[0]
    order = [3, 0, 2, 1]
    feeds = [Feed(i, prompts[i], 1) for i in order]
    torch.testing.assert_close(fast.forward(feeds), slow.forward(feeds))


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma3"])
def test_prefixes_are_reused_and_copied(kind, monkeypatch):
    monkeypatch.setattr(slots, "_WORTH_COPYING", 4)
    model = tiny_model(kind)
    fast = choose_runner(model, 3)
    prefix = list(range(3, 30))
    first, kept = fast.acquire([*prefix, 31])
    assert kept == 0
    fast.forward([Feed(first, [*prefix, 31])])
    # the first is taken: its keys are copied
    second, kept = fast.acquire([*prefix, 40, 41])
    assert second != first
    assert kept == len(prefix)
    expected = RecomputeRunner(model, 1)
    slot, _ = expected.acquire([1])
    copied = fast.forward([Feed(second, [40, 41], 2)])
    whole = expected.forward([Feed(slot, [*prefix, 40, 41], 2)])
    torch.testing.assert_close(copied, whole, rtol=1e-4, atol=1e-4)
    # a free slot that holds it is rolled back to it, never read again
    fast.release(first)
    again, kept = fast.acquire([*prefix, 31])
    assert (again, kept) == (first, len(prefix))
    expected.rollback(slot, 0)
    reused = fast.forward([Feed(again, [31])])
    whole = expected.forward([Feed(slot, [*prefix, 31])])
    torch.testing.assert_close(reused, whole, rtol=1e-4, atol=1e-4)


def test_at_least_one_token_is_left_to_read():
    runner = choose_runner(tiny_model("llama"), 2)
    slot, _ = runner.acquire([5, 6, 7])
    runner.forward([Feed(slot, [5, 6, 7])])
    runner.release(slot)
    assert runner.acquire([5, 6, 7])[1] == 2


def test_long_and_short_reads_are_split_into_calls():
    assert grouping.grouped([1000, 1, 1, 2]) == [[0], [1, 2, 3]]
    assert grouping.grouped([5, 1, 3]) == [[0, 1, 2]]
    assert grouping.grouped([4096, 4096]) == [[0], [1]]
    parts = grouping.chunks(Feed(0, list(range(5000)), 3))
    assert [len(p.tokens) for p in parts] == [4096, 904]
    assert [t for p in parts for t in p.tokens] == list(range(5000))
    assert parts[-1].wanted == 3


@pytest.mark.parametrize("length", [4097, 4098, 8192, 8193])
def test_chunks_leave_room_for_the_wanted_logits(length):
    parts = grouping.chunks(Feed(0, list(range(length)), 5))
    assert [t for p in parts for t in p.tokens] == list(range(length))
    assert all(1 <= len(p.tokens) <= 4096 for p in parts)
    assert len(parts[-1].tokens) >= 5


def test_a_read_in_chunks_gives_the_same_logits(monkeypatch):
    model = tiny_model("mistral")
    whole = choose_runner(model, 1)
    tokens = [3 + i % 50 for i in range(90)]
    slot, _ = whole.acquire(tokens)
    expected = whole.forward([Feed(slot, tokens, 3)])
    monkeypatch.setattr(grouping, "CALL_TOKENS", 16)
    parts = choose_runner(model, 1)
    slot, _ = parts.acquire(tokens)
    got = parts.forward([Feed(slot, tokens, 3)])
    assert parts.forwards == 6
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_hidden_states_of_wanted_positions():
    model = tiny_model("llama")
    fast, slow = choose_runner(model, 2), RecomputeRunner(model, 2)
    for runner in (fast, slow):
        runner.want_hidden = True
        runner.acquire([1])
        runner.acquire([2])
        runner.forward([Feed(0, [5, 6, 7], 2), Feed(1, [8], 1)])
        assert runner.last_hidden.shape == (3, 32)
    torch.testing.assert_close(fast.last_hidden, slow.last_hidden)


def test_taken_slots_run_out():
    runner = choose_runner(tiny_model("llama"), 1)
    runner.acquire([1])
    with pytest.raises(RuntimeError, match="all 1 slots are taken"):
        runner.acquire([2])
