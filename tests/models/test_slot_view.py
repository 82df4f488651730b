"""Pieces of a call on the slots show every query what its pattern says, no more."""

import random

import pytest
import torch

from hybridcore.models import pieces, slot_view
from hybridcore.models.masks import causal, chunked, sliding
from hybridcore.models.runner import Feed
from hybridcore.models.slot_view import SlotView
from hybridcore.models.step_view import StepView

PATTERNS = {"causal": causal, "sliding": sliding(3), "chunked": chunked(4)}


def drawn(seed, most):
    rng = random.Random(seed)
    slots = sorted(rng.sample(range(9), rng.randrange(1, 6)))
    feeds = [Feed(slot, [7] * rng.randrange(1, most + 1)) for slot in slots]
    starts = [rng.choice([0, 1, 5, 30]) for _ in slots]
    return SlotView(feeds, starts, torch.device("cpu"))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("most", [2, 20])
@pytest.mark.parametrize("seed", range(8))
def test_every_query_sees_what_it_should(seed, most, pattern, monkeypatch):
    monkeypatch.setattr(slot_view, "_WASTE", {"cpu": 10})
    monkeypatch.setattr(pieces, "PIECE", 6)
    view = drawn(seed, most)
    met = set()
    for piece in view.pieces(PATTERNS[pattern], torch.float32):
        rows = range(piece.rows.start, piece.rows.stop)
        places = range(piece.places.start, piece.places.stop)
        assert [view.slots[row] for row in rows] == list(places)
        shape = (len(rows), 1, *(s.stop - s.start for s in (piece.queries, piece.keys)))
        assert piece.mask.shape == shape
        assert (piece.mask == 0).any(2).any(0)[0, 0]  # no key in vain before the first
        for row in rows:
            for query in range(piece.queries.start, piece.queries.stop):
                seen = (
                    (piece.mask[row - rows.start, 0, query - piece.queries.start]) == 0
                )
                found = (seen.nonzero()[:, 0] + piece.keys.start).tolist()
                assert found, "softmax over nothing"
                position = view.ends[row] - view.width + query
                if position >= view.starts[row]:
                    assert found == expected(pattern, position)
                    assert (row, query) not in met
                    met.add((row, query))
    assert len(met) == sum(view.counts)


def expected(pattern, position):
    first = {
        "causal": 0,
        "sliding": max(0, position - 2),
        "chunked": position // 4 * 4,
    }[pattern]
    return list(range(first, position + 1))


@pytest.mark.parametrize("seed", range(4))
def test_the_whole_mask_says_the_same(seed):
    view = drawn(seed, 6)
    for name, pattern in PATTERNS.items():
        visible = view.visible(pattern)
        assert visible.shape == (len(view.slots), 1, view.width, view.live)
        for row, count in enumerate(view.counts):
            for i in range(count):
                seen = visible[row, 0, view.width - count + i].nonzero()[:, 0].tolist()
                assert seen == expected(name, view.starts[row] + i)


def test_padding_stands_at_a_position_and_writes_behind_the_end():
    feeds = [Feed(1, [11, 12, 13]), Feed(3, [14])]
    view = SlotView(feeds, [4, 9], torch.device("cpu"))
    assert view.ids.tolist() == [[11, 12, 13], [0, 0, 14]]
    assert view.positions.tolist() == [[4, 5, 6], [9, 9, 9]]
    assert view.places.tolist() == [[4, 5, 6], [10, 11, 9]]
    assert (view.live, view.room, view.width) == (10, 12, 3)


def test_an_idle_row_stands_where_every_text_does():
    view = StepView(2, 2, 64, torch.device("cpu"))
    view.aim([Feed(1, [14])], [32, 9])  # 32 may be one more than the model has
    assert view.ids.tolist() == [[0, 0], [0, 14]]
    assert view.positions.tolist() == [[0, 0], [9, 9]]
    assert view.places.tolist() == [[32, 33], [10, 9]]


@pytest.mark.parametrize(
    ("slots", "starts", "runs"),
    [
        ([0, 1, 2], [50, 60, 70], [(0, 3)]),
        ([0, 1, 3], [50, 60, 70], [(0, 2), (2, 3)]),
        # a short row would read the keys of its long neighbours
        ([0, 1, 2], [10, 2000, 1900], [(0, 1), (1, 3)]),
        ([0, 1, 2], [2000, 2000, 10], [(0, 2), (2, 3)]),
        ([0, 1, 2, 3], [0, 100, 200, 300], [(0, 2), (2, 4)]),
    ],
)
def test_runs_of_rows(slots, starts, runs):
    feeds = [Feed(slot, [1]) for slot in slots]
    view = SlotView(feeds, starts, torch.device("cpu"))
    pieces = view.pieces(causal, torch.float32)
    assert [(p.rows.start, p.rows.stop) for p in pieces] == runs
