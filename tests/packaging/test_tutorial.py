"""docs/tutorial.md: every block is run as it stands, in a fresh environment."""

import csv
import os
import runpy
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
fresh = runpy.run_path(str(TESTS / "packaging" / "fresh.py"))
Page = runpy.run_path(str(TESTS / "docs" / "conftest.py"))["Page"]
PAGE = Page((TESTS.parent / "docs" / "tutorial.md").read_text(encoding="utf-8"))


class Reader:
    """Somebody at a shell, in a folder, who does what the page says."""

    def __init__(self, environment, dist, folder):
        self.folder = folder
        path = os.pathsep.join([str(environment.bin), os.defpath])
        # pip finds our distributions as built, and nothing anywhere else
        self.variables = {
            "PATH": path,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": dist.as_uri(),
        }
        self.variables |= {"PIP_NO_BUILD_ISOLATION": "0", "COLUMNS": "200"}
        self.variables |= {"PIP_NO_WARN_CONFLICTS": "0"}  # looks at all there is

    def write(self, block):
        (self.folder / block.title).write_text(block.text, encoding="utf-8")

    def run(self, block):
        """What it prints; the folder it ends in is where the next begins."""
        line = ["bash", "-ec", f"{block.text}\npwd"]
        printed = fresh["checked"](line, self.folder, **self.variables)
        *lines, last = printed.splitlines()
        self.folder = Path(last)
        return "\n".join(lines)


@pytest.fixture(scope="module")
def told(dist, tmp_path_factory):
    """What each shell block printed, and where the reader ended."""
    base = tmp_path_factory.mktemp("tutorial")
    environment = fresh["FreshEnvironment"](base / "a venv")
    for name in ("pip", "pytest"):
        environment.write_script(name)
    reader, printed = Reader(environment, dist, base), []
    for block in PAGE.blocks():
        if block.title:
            reader.write(block)
        elif block.language == "sh":
            printed.append(reader.run(block))
        else:
            # what the block before is said to print
            assert block.language == "text"
            for line in block.text.splitlines():
                assert line in printed[-1]
    return printed, reader.folder


def test_it_ends_with_a_table(told):
    printed, folder = told
    assert folder.name == "hybridlm-strategy-hesitation"
    for name in ("slm-only", "llm-only", "hesitation threshold=1.1"):
        assert name in printed[-1]


def test_the_table_is_what_compare_finds(told):
    _, folder = told
    with (folder / "first" / "summary.csv").open() as file:
        found = {row["label"]: row for row in csv.DictReader(file)}
    rows = PAGE.section("What is it worth?").rows()
    assert {label.strip("`") for label, _, _ in rows} == set(found) - {"oracle"}
    for label, value, share in rows:
        measured = found[label.strip("`")]
        # another processor may decide a tie the other way, in one text of twenty
        assert float(measured["value"]) == pytest.approx(float(value), abs=0.051)
        expected = float(share.removesuffix(" %")) / 100
        assert float(measured["llm_share"]) == pytest.approx(expected, abs=0.02)
