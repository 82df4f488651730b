"""Intervals beside their formulas and beside exact sampling."""

import math

import pytest

from hybridcore.report.estimate import mean, ratio


@pytest.mark.parametrize(("right", "count"), [(0, 7), (45, 50), (20, 20)])
def test_accuracies_have_wilsons_interval(right, count):
    found = mean([1.0] * right + [0.0] * (count - right))
    p, z = right / count, 1.959964
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    reach = math.sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    reach *= z / (1 + z * z / count)
    assert found.value == p
    assert found.ends == pytest.approx((middle - reach, middle + reach), abs=1e-6)


def test_means_have_a_bootstrap_interval_near_the_normal_one():
    values = [math.sin(i) for i in range(2000)]
    found = mean(values)
    spread = math.sqrt(sum((v - found.value) ** 2 for v in values) / len(values))
    reach = 1.96 * spread / math.sqrt(len(values))
    expected = found.value - reach, found.value + reach
    assert found.ends == pytest.approx(expected, abs=0.1 * reach)


def test_shares_are_of_all_tokens_not_means_of_shares():
    found = ratio([1, 0, 9], [2, 8, 10])
    assert found.value == 0.5
    assert found.low < 0.5 < found.high
    assert found.documents == 3


def test_long_documents_weigh_more_in_the_interval():
    # of two documents a resample takes one twice, or both
    assert ratio([10, 0], [10, 90]).ends == (0.0, 1.0)


def test_documents_without_tokens_are_left_out():
    assert ratio([3, 0], [4, 0]).documents == 1
    assert ratio([0], [0]) is None


@pytest.mark.parametrize("found", [mean([1.0]), ratio([1], [3])])
def test_one_document_has_no_interval(found):
    assert found.ends is None
    assert found.documents == 1


def test_no_document_no_estimate():
    assert mean([]) is None
