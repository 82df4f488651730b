"""Medians, ratios, the order of rounds, and what a comparison reports."""

import torch

from hybridcore.bench.agreement import Agreement, compare
from hybridcore.bench.batch_search import best_batch
from hybridcore.bench.comparison import measured
from hybridcore.bench.machine import Machine
from hybridcore.bench.rounds import interleaved
from hybridcore.bench.spread import ratios, spread
from hybridcore.bench.table import table


def test_a_spread_is_median_least_and_greatest():
    assert f"{spread([3.0, 1.0, 2.0]):.1f}" == "2.0 (1.0..3.0)"


def test_ratios_are_taken_round_by_round():
    # medians 2 and 2 would say 1; the second side was twice as slow in every round
    assert ratios([2.0, 8.0, 4.0], [1.0, 4.0, 2.0]).median == 2.0


def test_every_side_runs_once_in_every_round(scripted, hand_made):
    log, between = [], []
    sides = [scripted(name, [1.0] * 3, log=log) for name in "ab"]
    load = hand_made("loglikelihood_rolling", 1)
    interleaved(sides, load, 3, lambda: between.append(len(log)))
    assert log == list("ababab")
    assert between == [0, 2, 4]


def test_search_takes_the_fastest_and_stops_when_it_gets_slower(scripted, hand_made):
    times = {1: 4.0, 2: 2.0, 4: 3.0, 8: 3.1, 16: 0.1}
    tried = []

    def side_of(size):
        tried.append(size)
        return scripted(str(size), [times[size]] * 2, [(float(size), True)])

    class Sample:
        def sample(self, size):
            return self

    found = best_batch(side_of, Sample(), list(times))
    assert found.best == 2
    assert 16 not in tried
    assert found.worst == 7.0  # between batch sizes 1 and 8


def test_one_size_is_not_searched(scripted, hand_made):
    found = best_batch(lambda size: scripted("x", []), None, [8])
    assert (found.best, found.seconds) == (8, {})


def test_a_comparison_reports_ratios_to_the_first_side(scripted, hand_made):
    load = hand_made("loglikelihood_rolling", 4)
    # the first pass is the untimed one
    sides = [
        scripted("ours", [9.0, 1.0, 1.0, 1.0], [1.0] * 4, {"tokens_out": 0}),
        scripted("peer", [9.0, 3.0, 2.0, 4.0], [1.0] * 4),
    ]
    machine = Machine(torch.device("cpu"), torch.float32)
    machine.measure = lambda: None
    done = measured(
        sides, load, lm=None, rounds=3, machine=machine, limit=lambda s, i: 0.5
    )
    ours, peer = done.lines
    assert done.agreed
    assert (ours.ratio.median, peer.ratio.median) == (1.0, 3.0)
    assert (ours.rate, peer.share) == (4.0, 0.5 / 3.0)
    assert done.as_dict()["lines"][1]["seconds"] == [3.0, 2.0, 4.0]


def test_sides_that_differ_do_not_agree(hand_made):
    load = hand_made("loglikelihood", 2)
    ours, theirs = [(-1.0, True), (-2.0, False)], [(-1.0, True), (-2.1, False)]
    far = compare(("a", "b"), ours, theirs, load, None)
    assert (far.beyond, far.flips, far.good) == (1, 0, False)
    near = compare(("a", "b"), ours, [(-1.0, True), (-2.0005, False)], load, None)
    assert near.good
    flipped = compare(("a", "b"), ours, [(-1.0, False), (-2.0, False)], load, None)
    assert (flipped.flips, flipped.good) == (1, False)


def test_texts_that_part_at_a_tie_agree_and_others_do_not():
    tie = Agreement("a", "b", 2, texts=1, margins=[1e-4])
    assert tie.good
    assert not Agreement("a", "b", 2, texts=1, margins=[0.5]).good
    assert "1 texts differ" in str(tie)


def test_a_table_is_markdown():
    lines = table(("side", "n"), [("ours", 1), ("a peer", 20)]).splitlines()
    assert lines[0] == "| side   |  n |"
    assert lines[1] == "| ------ | -: |"
    assert lines[3] == "| a peer | 20 |"
