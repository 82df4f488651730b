"""Options: coerced from text, ranged, documented, refused with the reason."""

import dataclasses
from typing import Literal

import pytest

from hybridcore import Strategy, option
from hybridcore.errors import OptionError


class Sample(Strategy):
    """One option of each kind."""

    rate: float = option(0.5, minimum=0.0, maximum=1.0, unit="probability")
    count: int = option(4, minimum=1)
    eager: bool = option(False)
    limit: float | None = option(None)
    rule: Literal["chow", "diff"] = option("chow")
    name: str = option("x", choices=("x", "y"))
    file: str | None = option(None)
    depth: float | str = option("auto")


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("0.25", "rate", 0.25),
        (1, "rate", 1.0),
        ("7", "count", 7),
        (7.0, "count", 7),
        ("true", "eager", True),
        ("False", "eager", False),
        ("none", "limit", None),
        ("2", "limit", 2.0),
        ("diff", "rule", "diff"),
        ("y", "name", "y"),
        ("none", "file", None),
        ("head.pt", "file", "head.pt"),
        ("0.5", "depth", 0.5),
        ("deep", "depth", "deep"),
    ],
)
def test_text_is_coerced(text, field, value):
    got = getattr(Sample.from_options({field: text}), field)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("rate", "often", "a number between 0.0 and 1.0"),
        ("rate", "1.5", "a number between 0.0 and 1.0"),
        ("rate", "nan", "a number between 0.0 and 1.0"),
        ("count", "0", "a whole number at least 1"),
        ("count", "2.5", "a whole number at least 1"),
        ("count", True, "a whole number at least 1"),
        ("eager", "maybe", "true or false"),
        ("name", "z", "one of 'x', 'y'"),
    ],
)
def test_wrong_values_are_refused(field, value, expected):
    with pytest.raises(OptionError) as error:
        Sample.from_options({field: value})
    assert f"{field}={value!r}" in str(error.value)
    assert expected in str(error.value)


def test_unknown_option_names_the_nearest_and_all():
    with pytest.raises(OptionError, match="did you mean 'rate'") as error:
        Sample.from_options({"rat": 1})
    assert "its options: rate, count, eager, limit, rule, name, file, depth" in str(
        error.value
    )


def test_an_instance_is_frozen_and_says_its_options():
    sample = Sample(rate="0.25")
    assert sample.options()["rate"] == 0.25
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.rate = 1.0
    assert eval(repr(sample), {"Sample": Sample}) == sample
