"""Every check bites: it kills the mutants that the table in the docs says it kills."""

import pytest

from hybridcore.conformance import check_strategy
from hybridcore.conformance.suite import CHECKS

from .mutant_table import documented
from .mutants.catalogue import ALL, MODULES, MUTANTS, failed, kills
from .mutants.distributions import INSTALLED_MUTANTS
from .mutants.registry import Mutant

BASES = ("Good", "Router", "Drafter", "WithLaw", "Verifier", "Mixture")


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_is_killed_as_the_table_says(mutant):
    found = kills(mutant)
    assert mutant.aim in found
    assert found == documented()[mutant.name]


@pytest.mark.parametrize("mutant", INSTALLED_MUTANTS.values(), ids=INSTALLED_MUTANTS)
def test_an_installed_mutant_is_killed_as_the_table_says(mutant, installed):
    name = installed(mutant.distribution)
    found = failed(check_strategy(name, only=mutant.only))
    assert found == documented()[mutant.name] == [mutant.aim]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_has_a_mutant_that_no_other_family_kills(check):
    own = [
        name
        for name, mutant in ALL.items()
        if mutant.aim == check.id
        and {id.partition("-")[0] for id in documented()[name]} == {check.family}
    ]
    assert own


def test_the_table_is_of_these_mutants():
    assert list(documented()) == list(ALL)


@pytest.mark.parametrize("name", BASES)
def test_what_the_mutants_are_made_of_passes(name):
    (base,) = {vars(module)[name] for module in MODULES if name in vars(module)}
    assert kills(Mutant(base, aim="")) == []
