"""docs/conformance.md is about these checks."""

import pkgutil
import re

import pytest

from hybridcore.conformance import SUITE_VERSION
from hybridcore.conformance.suite import CHECKS

from .mutant_table import PAGE
from .mutants.distributions import INSTALLED_MUTANTS
from .mutants.registry import INSTALLED, SLOW

TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL))


def test_one_section_for_each_check_in_order():
    assert list(SECTIONS) == [check.id for check in CHECKS]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_section_has_title_kind_reason_and_remedy(check):
    paragraphs = [" ".join(p.split()) for p in SECTIONS[check.id].split("\n\n")]
    assert f"**{check.title}**" in paragraphs
    if check.applies:
        *first, last = [capability.title for capability in check.applies]
        kinds = f"{', '.join(first)} and {last}" if first else last
        assert f"Applies to strategies that {kinds}." in paragraphs
    else:
        assert "Applies to" not in SECTIONS[check.id]
    assert any(text.startswith("*Why.* ") for text in paragraphs)
    assert any(text.startswith("*How to fix.* ") for text in paragraphs)
    # the anchor that a heading of this text gets
    assert check.anchor == f"docs/conformance.md#{check.id.lower()}"


def test_the_version_and_the_number_of_checks():
    assert f"a version of its own, {SUITE_VERSION}," in TEXT
    assert f"{len(CHECKS)} checks" in TEXT


def test_the_checks_that_not_every_mutant_meets():
    (told,) = re.findall(r"^Not every mutant meets.*?\n\n", TEXT, re.M | re.S)
    chosen = {id for mutant in INSTALLED_MUTANTS.values() for id in mutant.only}
    left_out = SLOW | INSTALLED | (chosen - {"LOAD"})
    assert set(re.findall(r"\b[A-Z]+-\d+\b", told)) == left_out


def test_what_is_named_of_ours_is_there():
    named = set(re.findall(r"`(hybridcore(?:\.\w+)+)`", TEXT))
    assert "hybridcore.conformance.tiny" in named
    for name in named:
        pkgutil.resolve_name(name)
