"""The pages as tests read them: tables, code blocks, headings."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r'^```(?P<language>\w+)?(?: title="(?P<title>[^"]*)")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block: ``language`` and ``title`` are "" where there is none."""

    language: str
    title: str
    text: str


class Page:
    """A Markdown file of the repository, or one section of it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def section(self, heading: str) -> "Page":
        """What stands under a heading of level two, up to the next."""
        found = re.search(
            rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", self.text, re.M | re.S
        )
        assert found, f"no heading {heading!r}"
        return Page(found[1])

    def headings(self) -> list[str]:
        return re.findall(r"^#+ (.*)$", self.prose(), re.M)

    def prose(self) -> str:
        """The text without its code blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self) -> list[CodeBlock]:
        return [
            CodeBlock(found["language"] or "", found["title"] or "", found["text"])
            for found in _FENCE.finditer(self.text)
        ]

    def rows(self) -> list[list[str]]:
        """The cells of all tables, without their heads."""
        lines = re.findall(r"^\|(.*)\|$", self.prose(), re.M)
        rules = [i for i, line in enumerate(lines) if not set(line) - set("-|: ")]
        heads = {i - 1 for i in rules} | set(rules)
        return [
            [cell.strip() for cell in line.split("|")]
            for i, line in enumerate(lines)
            if i not in heads
        ]

    def names(self, column: int = 0) -> list[str]:
        """What stands as code in one column of all tables."""
        return [name for row in self.rows() for name in code(row[column])]


def code(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


@pytest.fixture(scope="session")
def page():
    """``page("hooks")``, or of another file ``page("../README")``."""
    return lambda name: Page((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def root():
    """The checkout, or what an sdist has of it."""
    return ROOT
