"""Large numbers in three digits and a unit."""

import pytest

from hybridcore.magnitude import magnitude


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (4.842e6, "4.84 M"), (1.5e9, "1.5 G")],
)
def test_a_number_has_three_digits_and_a_unit(value, said):
    assert magnitude(value) == said
