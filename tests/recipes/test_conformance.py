"""Every recipe passes the suite that third parties run.

The evaluation, which the other tests do at length, and the memory check are left out.
"""

import inspect

import pytest

from hybridcore import Strategy
from hybridcore.conformance import check_strategy

FAMILIES = ("LOAD", "ROUTE", "DRAFT", "VERIFY", "SCORE", "DOC")


@pytest.mark.parametrize(
    "name", ["adaptive_drafts", "prompt_lookup", "router_head", "speculative_cascade"]
)
def test_a_recipe_conforms(recipe, name):
    made = recipe(name).values()
    (kind,) = (
        c
        for c in made
        if inspect.isclass(c) and issubclass(c, Strategy) and c is not Strategy
    )
    results = check_strategy(kind(), FAMILIES)
    assert not [r for r in results if r.outcome in ("failed", "skipped")], results


def test_every_recipe_is_examined(recipes):
    (mark,) = test_a_recipe_conforms.pytestmark
    assert sorted(recipes) == mark.args[1]
