"""The Chinese page has the README's commands, code, arguments and counts."""

import re

import pytest

_INDENTED = re.compile(r"(?:^ {4}.*\S.*\n|^\n(?= {4}))+", re.MULTILINE)


@pytest.fixture(scope="module")
def pages(page, root):
    if not (root / "plugins").is_dir():
        pytest.skip("the README is compared in a checkout")
    return page("../README"), page("zh")


def indented(text):
    """The indented blocks: commands and what they print."""
    return [block.strip("\n") for block in _INDENTED.findall(text.prose())]


def names(text):
    """What stands as code, wherever its lines are broken."""
    return [" ".join(name.split()) for name in re.findall(r"`([^`]+)`", text)]


def test_commands_and_what_they_print(pages):
    english, chinese = pages
    assert len(indented(english)) >= 4
    assert indented(chinese) == indented(english)


def test_code(pages):
    english, chinese = pages
    assert len(english.blocks()) == 3
    assert chinese.blocks() == english.blocks()


def test_sections_in_the_same_order(pages):
    levels = [re.findall(r"^(#+) ", text.prose(), re.M) for text in pages]
    assert levels[0] == levels[1]


def test_tables_have_the_same_rows(pages):
    english, chinese = (text.rows() for text in pages)
    assert [len(row) for row in chinese] == [len(row) for row in english]
    for ours, theirs in zip(chinese, english, strict=True):
        assert names(ours[0]) == names(theirs[0])
        for mine, other in zip(ours[1:], theirs[1:], strict=True):
            # a file that the README links to is named as code here
            assert set(names(other)) <= set(names(mine))


def test_whatever_stands_as_code(pages):
    """Arguments, counts, files and commands, wherever in the text they stand."""
    english, chinese = (set(names(text.prose())) for text in pages)
    assert english - chinese == set()
    assert {name for name in chinese - english if "/" not in name} == {"with_strategy"}


def test_each_links_to_the_other_language(pages):
    english, chinese = pages
    assert "(docs/zh.md)" in english.text
    assert "README" in chinese.text


def test_numbers(pages):
    """What was measured, and on which versions, is the same in both."""
    english, chinese = (
        set(re.findall(r"\d+\.\d+(?:\.\d+)?", text.prose())) for text in pages
    )
    assert chinese == english
