"""Seeds tell rows apart and stay what they are; numbers are used once."""

import random

from hybridcore.decoding.randomness import Numbers, row_seed, uniform_of


def test_a_seed_is_of_run_prompt_and_repeat():
    seeds = [
        row_seed(seed, prompt, repeat)
        for seed in (0, 1)
        for prompt in ([1, 2], [12], [2, 1], [1, 2, 0])
        for repeat in (0, 1)
    ]
    assert len(set(seeds)) == len(seeds)


def test_a_seed_is_the_same_everywhere():
    assert row_seed(7, [1, 2, 3], 1) == 14286875538934697020
    assert 0 <= uniform_of(1, 2) < 1
    assert uniform_of(1, 2) == uniform_of(1, 2) != uniform_of(2, 1)


def test_numbers_are_taken_in_order_however_often_they_are_seen():
    plain, numbers = random.Random(5), Numbers(5)
    for seen in (0, 1, 3, 0, 2):
        expected = plain.random()
        assert all(numbers.peek() == expected for _ in range(seen))
        assert numbers.take() == expected
