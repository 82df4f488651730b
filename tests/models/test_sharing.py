"""What rows that come together begin with is read once."""

import random

import pytest
import torch

from hybridcore.conformance.tiny import tiny_model
from hybridcore.models import slots
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed
from hybridcore.models.sharing import Entry, waves
from hybridcore.models.trial import errors

EXACT = 1e-4  # of the spread of the logits
A, B, C = list(range(100, 140)), list(range(200, 240)), list(range(300, 340))


def planned(texts, worth=10, held=None, wanted=1):
    held = held or [[] for _ in texts]
    feeds = [
        Feed(slot, text[len(held[slot]) :], wanted) for slot, text in enumerate(texts)
    ]
    return waves(feeds, held, worth)


def test_the_first_of_a_beginning_reads_it_and_all_others_copy_from_it():
    found = planned([[*A, 1, *B], [*A, 2, *B], [*C, 1], [*A, 1, 3, *C]])
    # those that copy do not wait for each other
    assert found == [
        [Entry(2), Entry(3)],
        [Entry(0, donor=3, shared=41), Entry(1, donor=3, shared=40)],
    ]


def test_what_more_is_shared_is_worth_another_wave():
    found = planned([[*A, *B, 1], [*A, *B, 2], [*A, *C]], worth=10)
    assert found == [
        [Entry(0)],
        [Entry(1, donor=0, shared=80), Entry(2, donor=0, shared=40)],
    ]
    found = planned([[*A, 1, *B], [*A, *C, 2], [*A, *C, 3]], worth=10)
    assert [[entry.feed for entry in wave] for wave in found] == [[0], [1], [2]]
    assert found[2] == [Entry(2, donor=1, shared=80)]


@pytest.mark.parametrize(
    "texts",
    [
        [[*A, 1]],  # nobody to share with
        [[7], [7], [7]],  # steps
        [[*A[:8], 1, *B], [*A[:8], 2, *C]],  # too little
    ],
)
def test_nobody_waits_for_nothing(texts):
    assert planned(texts) == [[Entry(i) for i in range(len(texts))]]


def test_what_is_held_already_is_no_gain():
    held = [[], A[:35]]
    assert planned([[*A, *B], [*A, *C]], held=held) == [[Entry(0), Entry(1)]]
    held = [[], A[:25]]
    assert planned([[*A, *B], [*A, *C]], held=held)[1] == [Entry(1, 0, 40)]


def test_logits_that_are_wanted_are_read():
    same = planned([A, A], wanted=3)
    assert same == [[Entry(0)], [Entry(1, donor=0, shared=37)]]


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma2", "gpt2"])
def test_rows_that_begin_alike_are_those_of_recomputing(kind, monkeypatch):
    monkeypatch.setattr(slots, "_CALL_COST", {"cpu": 4})
    monkeypatch.setattr(slots, "_WORTH_COPYING", 4)
    model, rng = tiny_model(kind), random.Random(kind)

    def some(length):
        return [rng.randrange(3, 60) for _ in range(length)]

    common, more = some(20), some(9)
    texts = [
        [*common, *more, 1, *some(3)],
        [*common, *more, 2, *some(7)],
        some(12),
        [*common, 3, *some(6)],
        [*common, *more, 1],
        [5],
    ]
    fast, slow = choose_runner(model, 6), RecomputeRunner(model, 6)
    feeds = []
    for number, text in enumerate(texts):
        for runner in (fast, slow):
            slot, kept = runner.acquire(text)
            assert (slot, kept) == (number, 0)
        feeds.append(Feed(number, text, min(len(text), 1 + number % 3)))
    found, expected = (runner.forward(feeds) for runner in (fast, slow))
    assert errors(found, expected).max() < EXACT
    # each beginning once, but for what is not worth a wave, and what is wanted
    prefixes = {tuple(text[: i + 1]) for text in texts for i in range(len(text))}
    assert len(prefixes) <= sum(fast.last_read) <= len(prefixes) + 4 * len(texts)
    assert sum(fast.last_read) < sum(map(len, texts)) / 2
    # and the keys are the row's own: it goes on alone
    for slot in range(6):
        again = [Feed(slot, [9, 4], 2)]
        found, expected = fast.forward(again), slow.forward(again)
        assert errors(found, expected).max() < EXACT


def test_texts_whose_rotary_embedding_switches_share_nothing(monkeypatch):
    monkeypatch.setattr(slots, "switch_length", lambda config: 10_000)
    runner = choose_runner(tiny_model("llama"), 2)
    texts = [[*range(3, 60), 1], [*range(3, 60), 2]]
    feeds = [Feed(runner.acquire(text)[0], text) for text in texts]
    with torch.inference_mode():
        runner.forward(feeds)
    assert runner.last_read == [58, 58]
