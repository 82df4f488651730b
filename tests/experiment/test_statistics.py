"""Intervals and measures, against closed forms and loops written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lm_eval.api import metrics
from lm_eval.api.registry import get_aggregation
from scipy.stats import binom, bootstrap, norm

from hybridcore.experiment.aggregation import statistic_of
from hybridcore.experiment.intervals import Interval, Resampling, difference, ratio
from hybridcore.experiment.recovery import apgr, cpt, pgr, pinned

MANY = 20_000


def mean(values):
    return statistic_of(metrics.mean, list(values))


def test_an_accuracy_has_the_quantiles_of_the_binomial_law() -> None:
    right = np.repeat([1.0, 0.0], [70, 30])
    found = Resampling(100, MANY, 0.95, 0).interval(mean(right))
    low, high = binom.ppf([0.025, 0.975], 100, 0.7) / 100
    assert found.low == pytest.approx(low, abs=0.011)
    assert found.high == pytest.approx(high, abs=0.011)


def test_a_paired_difference_is_as_wide_as_its_differences() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(size=400)
    other = one + rng.normal(0.2, 0.1, size=400)
    statistic = difference(mean(one), mean(other))
    found = Resampling(400, 5000, 0.9, 0).interval(statistic)
    gaps = one - other
    error = norm.ppf(0.95) * gaps.std() / math.sqrt(400)
    assert found.low == pytest.approx(gaps.mean() - error, abs=6e-4)
    assert found.high == pytest.approx(gaps.mean() + error, abs=6e-4)


def test_a_share_is_a_ratio_of_sums_as_scipy_has_it() -> None:
    rng = np.random.default_rng(2)
    tokens = rng.integers(1, 50, 60).astype(float)
    part = rng.binomial(tokens.astype(int), 0.3).astype(float)
    found = Resampling(60, 3000, 0.95, 5).interval(ratio(part, tokens))
    theirs = bootstrap(
        (part, tokens),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        method="percentile",
        n_resamples=3000,
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_intervals_hold_what_they_promise() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(200):
        values = (rng.random(80) < 0.6).astype(float)
        found = Resampling(80, 400, 0.9, seed).interval(mean(values))
        held += found.low <= 0.6 <= found.high
    # 90 % of 200, four standard deviations down
    assert held >= 163


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(4).normal(size=50)
    one, two, other = (
        Resampling(50, 300, 0.95, seed).interval(mean(values)) for seed in (1, 1, 2)
    )
    assert one == two != other


def test_one_document_has_no_interval() -> None:
    assert Resampling(1, 300, 0.95, 0).interval(mean([1.0])) == Interval()


def test_what_has_no_value_in_a_resample_has_no_interval() -> None:
    part, whole = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    assert Resampling(2, 300, 0.95, 0).interval(ratio(part, whole)) == Interval()


PAIRS = [(-10.5, 3), (-2.0, 4), (-7.0, 9), (-1.0, 2)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mean", [1.0, 0.0, 0.5, 1.0]),
        ("perplexity", [-1.0, -2.5, -0.1, -3.0]),
        ("weighted_perplexity", PAIRS),
        ("bits_per_byte", PAIRS),
        ("median", [3.0, 1.0, 2.0, 5.0]),
        ("f1", [(1, 1), (0, 1), (1, 0), (1, 1)]),
    ],
)
def test_aggregations_are_those_of_lm_eval(name, values) -> None:
    aggregate = get_aggregation(name)
    # as JSON gives them back
    statistic = statistic_of(
        aggregate, [list(v) if type(v) is tuple else v for v in values]
    )
    drawn = np.array([[0, 1, 2, 3], [0, 0, 3, 3], [2, 1, 1, 0]])
    expected = [aggregate([values[i] for i in row]) for row in drawn]
    assert statistic(drawn) == pytest.approx(expected)


def test_the_gap_recovered() -> None:
    weak, strong = 0.4, 0.9
    for value, expected in ((0.4, 0.0), (0.9, 1.0), (0.65, 0.5), (0.3, -0.2)):
        assert pgr(np.array(value - strong), np.array(weak - strong)) == pytest.approx(
            expected
        )


def test_a_straight_line_recovers_half_on_average() -> None:
    x, y = pinned(np.array([0.3, 0.7]), np.array([0.3, 0.7]))
    assert x.tolist() == y.tolist() == [0.0, 0.3, 0.7, 1.0]
    assert apgr(x, y) == pytest.approx(0.5)
    assert [float(cpt(x, y, level)) for level in (0.2, 0.5, 1.0)] == pytest.approx(
        [0.2, 0.5, 1.0]
    )


def test_the_area_is_that_of_routellm() -> None:
    # (AUC - AUC_weak) / (AUC_strong - AUC_weak), with both ends pinned
    shares, accuracy, weak, strong = [0.6, 0.2], [0.8, 0.7], 0.5, 0.9
    area = np.trapezoid([weak, 0.7, 0.8, strong], [0, 0.2, 0.6, 1])
    expected = (area - weak) / (strong - weak)
    lags = np.array(accuracy) - strong
    x, y = pinned(np.array(shares), pgr(lags, np.array(weak - strong)))
    assert apgr(x, y) == pytest.approx(expected)


def test_a_curve_that_falls_counts_where_it_is_first_high_enough() -> None:
    x, y = pinned(np.array([0.2, 0.4, 0.6]), np.array([0.6, 0.1, 0.7]))
    assert cpt(x, y, 0.5) == pytest.approx(0.2 * 0.5 / 0.6)
    assert cpt(x, y, 0.65) == pytest.approx(0.4 + 0.2 * 0.55 / 0.6)


def test_measures_of_many_resamples_are_those_of_each() -> None:
    rng = np.random.default_rng(6)
    shares, recovered = rng.random((3, 7)), rng.random((3, 7))
    x, y = pinned(shares, recovered)
    for i in range(7):
        one = pinned(shares[:, i], recovered[:, i])
        assert apgr(x, y)[i] == pytest.approx(apgr(*one))
        assert cpt(x, y, 0.5)[i] == pytest.approx(cpt(*one, 0.5))
