"""Where memory runs out, calls are halved, and nothing is read twice."""

import weakref

import pytest
import torch

from hybridcore.conformance.tiny import tiny_model
from hybridcore.models import tree_cache
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed
from hybridcore.models.slot_cache import GROWTH, SlotLayer
from hybridcore.models.tree_probe import choose_tree_reader
from hybridcore.models.tree_view import Segment
from hybridcore.models.trial import errors

LOGGER = "hybridcore.models.slot_reader"
EXACT = 1e-4  # of the spread of the logits


class Small:
    """A model in whose middle memory runs out for more than ``most`` tokens."""

    def __init__(self, monkeypatch, most, kind="llama", error=torch.OutOfMemoryError):
        self.model = tiny_model(kind)
        self.rows = []  # rows and columns of the calls that were read
        self.refused = 0
        inner = self.model.model.layers[1].mlp
        right = inner.forward

        def forward(states):
            if states.shape[0] * states.shape[1] > self.most:
                self.refused += 1
                raise error("no room")
            self.rows.append(tuple(states.shape[:2]))
            return right(states)

        self.most = 1 << 30
        self.slow = RecomputeRunner(tiny_model(kind), 8)
        self.fast = choose_runner(self.model, 8)
        monkeypatch.setattr(inner, "forward", forward)
        self.rows.clear()
        self.most = most
        for slot in range(8):
            assert self.fast.acquire([slot])[0] == self.slow.acquire([slot])[0] == slot

    def error(self, feeds):
        found, expected = self.fast.forward(feeds), self.slow.forward(feeds)
        return errors(found, expected).max().item()


def tokens(count):
    return [3 + i * 11 % 50 for i in range(count)]


@pytest.mark.parametrize("kind", ["llama", "mistral"])
def test_rows_are_halved(kind, monkeypatch, caplog):
    small = Small(monkeypatch, 34, kind)
    feeds = [Feed(slot, tokens(14 + slot % 3), 2 + slot % 2) for slot in range(8)]
    assert small.error(feeds) < EXACT
    assert small.rows == [(2, n) for n in (15, 16, 16, 15)]
    assert small.fast.last_read == [14 + slot % 3 for slot in range(8)]
    assert small.fast.forwards == 4
    # a step that is small enough is one call again
    assert small.error([Feed(slot, [5, 6, 7], 3) for slot in range(8)]) < EXACT
    assert small.rows[4:] == [(8, 3)]
    assert [r.getMessage() for r in caplog.records if r.name == LOGGER] == [
        "out of memory: reading at most 64 tokens at a time"
    ]


def test_a_long_row_is_read_in_parts(monkeypatch, caplog):
    small = Small(monkeypatch, 40)
    assert small.error([Feed(0, tokens(150), 90)]) < EXACT
    assert small.rows == [(1, 38), (1, 37), (1, 38), (1, 37)]
    assert small.fast.last_read == [150]
    # what was learnt is kept: nothing runs out of memory again
    small.refused = 0
    assert small.error([Feed(1, tokens(100)), Feed(0, [5])]) < EXACT
    assert small.refused == 0
    assert len([r for r in caplog.records if r.name == LOGGER]) == 1


def test_hidden_states_of_halves(monkeypatch):
    small = Small(monkeypatch, 40)
    small.fast.want_hidden = small.slow.want_hidden = True
    small.error([Feed(0, tokens(70), 60), Feed(1, tokens(3), 2)])
    assert small.fast.last_hidden.shape == (62, 32)
    torch.testing.assert_close(small.fast.last_hidden, small.slow.last_hidden)


def test_what_does_not_fit_at_all(monkeypatch):
    small = Small(monkeypatch, 0)
    with pytest.raises(torch.OutOfMemoryError):
        small.fast.forward([Feed(0, tokens(100)), Feed(1, [5])])
    assert small.fast.length(0) == small.fast.length(1) == 0
    small.most = 1000
    assert small.error([Feed(0, tokens(30), 9), Feed(1, [5])]) < EXACT


def test_other_failures_are_not_repeated(monkeypatch):
    small = Small(monkeypatch, 30, error=ValueError)
    with pytest.raises(ValueError):
        small.fast.forward([Feed(0, tokens(100))])
    assert small.refused == 1


def test_a_text_beyond_the_rotary_switch_is_not_cut(monkeypatch):
    """Its first half would be read as a short text."""
    small = Small(monkeypatch, 40, "phi3_longrope")
    with pytest.raises(torch.OutOfMemoryError):
        small.fast.forward([Feed(0, tokens(70))])
    assert small.error([Feed(1, tokens(35), 1), Feed(2, tokens(30), 2)]) < EXACT
    assert small.rows == [(1, 35), (1, 30)]


def test_room_that_there_is_not(tiny, monkeypatch):
    """Where the cache cannot grow for one row, the others can still be read."""
    fast, slow = choose_runner(tiny("llama"), 2), RecomputeRunner(tiny("llama"), 2)
    right = SlotLayer._room

    def room(self, like):
        if self._cache.capacity > GROWTH and self is self._cache.layers[1]:
            raise RuntimeError("DefaultCPUAllocator: not enough memory")
        return right(self, like)

    monkeypatch.setattr(SlotLayer, "_room", room)
    for runner in (fast, slow):
        runner.acquire([1])
        runner.acquire([2])
    feed = Feed(0, [5, 6, 7], 3)
    assert errors(fast.forward([feed]), slow.forward([feed])).max() < EXACT
    with pytest.raises(RuntimeError):
        fast.forward([Feed(1, tokens(GROWTH + 1))])
    feed = Feed(0, [8, 9], 2)
    assert errors(fast.forward([feed]), slow.forward([feed])).max() < EXACT
    assert fast._reader.cache.capacity == GROWTH
    layers = fast._reader.cache.layers
    assert {layer.keys.shape[2] for layer in layers} == {GROWTH}


class SecondRoom:
    """Memory that runs out once, for the values of one layer, its keys having grown."""

    def __init__(self, monkeypatch, place, name, grows):
        self.refused = self.asked = 0
        right = getattr(place, name)

        def room(*arguments):
            if not self.refused and grows(*arguments):
                self.asked += 1
                if self.asked == 2:
                    self.refused += 1
                    raise torch.OutOfMemoryError("no room")
            return right(*arguments)

        monkeypatch.setattr(place, name, room)


def test_keys_and_values_grow_together(tiny, monkeypatch):
    fast, slow = choose_runner(tiny("llama"), 2), RecomputeRunner(tiny("llama"), 2)
    for runner in (fast, slow):
        runner.acquire([1])
        runner.acquire([2])
    feeds = [Feed(0, [5, 6, 7], 3), Feed(1, [5, 6], 2)]
    assert errors(fast.forward(feeds), slow.forward(feeds)).max() < EXACT
    room = SecondRoom(
        monkeypatch,
        SlotLayer,
        "_room",
        lambda layer, like: layer._cache.capacity > GROWTH,
    )
    feeds = [Feed(0, tokens(GROWTH), 3), Feed(1, tokens(GROWTH), 2)]
    assert errors(fast.forward(feeds), slow.forward(feeds)).max() < EXACT
    assert room.refused == 1


def test_keys_and_values_of_a_tree_grow_together(tiny, monkeypatch):
    reader = choose_tree_reader(tiny("llama"))
    slow = RecomputeRunner(tiny("llama"), 1)
    slow.acquire([1])
    text = tokens(tree_cache.GROWTH + 40)
    reader.read([], [Segment(0, text[:500])])
    room = SecondRoom(
        monkeypatch, tree_cache, "_room", lambda like, rows: rows > tree_cache.GROWTH
    )
    rest = [Segment(500, text[500:])]
    with pytest.raises(torch.OutOfMemoryError):
        reader.read(range(500), rest)
    reader.read(range(500), rest)
    found = reader.logits(reader.hidden(torch.arange(len(text))))
    assert errors(found, slow.forward([Feed(0, text, len(text))])).max() < EXACT
    assert room.refused == 1


def test_keys_of_slots_are_given_back_at_once(tiny, uncollected):
    runner = choose_runner(tiny("llama"), 2)
    runner.acquire([1])
    runner.forward([Feed(0, [5, 6, 7], 3)])
    keys = [weakref.ref(tensor) for tensor in runner._reader.cache.tensors()]
    runner.release(0)
    runner.clear()
    assert keys
    assert not any(key() is not None for key in keys)


def test_keys_of_a_tree_are_given_back_at_once(tiny, uncollected):
    reader = choose_tree_reader(tiny("llama"))
    reader.read([], [Segment(0, [5, 6, 7])])
    keys = [weakref.ref(layer.keys) for layer in reader._cache.layers]
    reader.clear()
    assert keys
    assert not any(key() is not None for key in keys)
