"""Reads are padded together where that is cheaper than another call."""

import itertools
import random

import pytest

from hybridcore.models import grouping
from hybridcore.models.runner import Feed


def test_a_prefill_is_not_padded_into():
    assert grouping.grouped([1000, 1, 1, 2]) == [[0], [1, 2, 3]]
    assert grouping.grouped([5, 1, 3]) == [[0, 1, 2]]
    assert grouping.grouped([4096, 4096]) == [[0], [1]]
    assert grouping.grouped([9000, 1]) == [[0], [1]]
    assert grouping.grouped([]) == []


def test_calls_stay_below_their_bound():
    groups = grouping.grouped([500] * 20)
    assert sorted(i for group in groups for i in group) == list(range(20))
    assert len(groups) == 3
    assert all(500 * len(group) <= 4096 for group in groups)


@pytest.mark.parametrize("seed", range(20))
def test_no_other_grouping_is_cheaper(seed):
    rng = random.Random(seed)
    lengths = [rng.choice([1, 2, 5, 30, 40, 300]) for _ in range(rng.randrange(1, 7))]

    def cost(groups):
        return sum(32 + len(g) * max(lengths[i] for i in g) for g in groups)

    found = grouping.grouped(lengths)
    assert sorted(i for group in found for i in group) == list(range(len(lengths)))
    assert cost(found) == min(cost(g) for g in partitions(range(len(lengths))))


def partitions(items):
    items = list(items)
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for size in range(len(rest) + 1):
        for others in itertools.combinations(rest, size):
            left = [i for i in rest if i not in others]
            for partition in partitions(left):
                yield [[first, *others], *partition]


@pytest.mark.parametrize("length", [1, 4096, 4097, 4098, 8192, 8193])
@pytest.mark.parametrize("wanted", [1, 5, 4097])
def test_parts_of_a_long_read_share_its_logits_out(length, wanted):
    wanted = min(wanted, length)
    parts = grouping.chunks(Feed(7, range(length), wanted))
    assert [t for part in parts for t in part.tokens] == list(range(length))
    assert {part.slot for part in parts} == {7}
    assert all(1 <= len(part.tokens) <= 4096 for part in parts)
    asked = [t for p in parts for t in p.tokens[len(p.tokens) - p.wanted :]]
    assert asked == list(range(length - wanted, length))
