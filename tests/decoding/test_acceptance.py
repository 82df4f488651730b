"""What blocks bring, where acceptance differs from position to position."""

import pytest
from hybridlm_strategy_speculative import Speculative

from hybridcore.decoding.acceptance import Acceptance

from .costly import cycle, run


def seen(*moves):
    acceptance = Acceptance()
    for blocks in moves:
        acceptance.judged(blocks)
    return acceptance


@pytest.mark.parametrize("accepted", [0, 2, 4])
def test_positions_are_told_apart(accepted):
    tokens = seen(*[[(4, accepted)]] * 200).tokens(4)
    assert tokens == pytest.approx([1 + min(k, accepted) for k in range(5)], abs=0.2)


def test_without_a_verdict_a_position_is_like_the_rest():
    acceptance = seen(*[[(1, 1)], [(1, 1)], [(1, 0)]] * 100)
    a = acceptance.overall
    assert 0.5 < a < 0.75
    assert acceptance.tokens(3) == pytest.approx(
        [1, 1 + a, 1 + a + a**2, 1 + a + a**2 + a**3], abs=0.01
    )


def test_drafts_behind_a_rejected_one_say_nothing():
    assert seen([(6, 0)] * 5).tokens(6) == seen([(1, 0)] * 5).tokens(6)


def test_what_was_not_tried_lately_is_forgotten():
    bad = [[(4, 2)]] * 100
    just = seen(*bad).tokens(4)
    later = seen(*bad, *[[(2, 2)]] * 200).tokens(4)
    assert just[4] < 3.2 < 4.5 < later[4]


def right_on_two_of_three():
    p, q = cycle(9, 1), cycle(9, 1)
    q[2::3] = cycle(9, 5)[2::3]
    return p, q


@pytest.mark.parametrize("batch", [1, 4])
def test_two_of_three(batch):
    """Blocks of two are best, and single drafts, half of which are lost, stay so."""
    pair = right_on_two_of_three()
    options = {"batch": batch, "llm": (4.0, 0.02), "slm": (1.0, 0.005)}
    _, fixed, _ = run(*pair, Speculative(4), adaptive=False, **options)
    _, best, _ = run(*pair, Speculative(2), adaptive=False, **options)
    _, taken, _ = run(*pair, Speculative(4), **options)
    assert best < 0.85 * fixed
    assert taken < 0.9 * fixed
