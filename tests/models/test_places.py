"""What slots hold, and how much of it a text begins with."""

import random
from itertools import takewhile

import pytest

from hybridcore.models.places import common_prefix


@pytest.mark.parametrize("seed", range(40))
def test_a_common_prefix_is_found_as_by_comparing_token_by_token(seed):
    rng = random.Random(seed)
    begun = [rng.randrange(9) for _ in range(rng.randrange(70))]
    one, other = (begun + rng.choices([1, 1, 1, 2], k=rng.randrange(40)) for _ in "ab")
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    expected = sum(1 for _ in alike)
    assert common_prefix(one, other) == expected
    assert common_prefix(tuple(one), other) == expected
    assert common_prefix(one, one[:expected]) == expected
