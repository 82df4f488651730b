"""The pages together: all are in the navigation, and all that they name is there."""

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest
import yaml
from lm_eval.utils import simple_parse_args_string
from markdown.extensions.toc import slugify

from hybridcore.cli import COMMANDS
from hybridcore.conformance.suite import CHECKS
from hybridcore.discovery import strategy_names
from hybridcore.harness.arguments import parse

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.stem for path in DOCS.glob("*.md"))
SHARED = {"the pair", "the tasks", "the run"}
OURS = [name for name in COMMANDS if name != "eval"]
# of the examples on how to write and to publish a strategy
EXAMPLES = {"hesitation", "margin", "foo"}


@pytest.fixture(scope="module")
def settings(root):
    file = root / ".ci" / "mkdocs.yml"
    if not file.exists():
        pytest.skip("the settings of the site are in a checkout alone")

    class Loader(yaml.SafeLoader):
        """Reads what only mkdocs understands as None."""

    Loader.add_multi_constructor("!", lambda loader, tag, node: None)
    return yaml.load(file.read_text(encoding="utf-8"), Loader)


def leaves(tree):
    """The files of a navigation."""
    if isinstance(tree, str):
        return [tree]
    items = tree.values() if isinstance(tree, dict) else tree
    return [leaf for item in items for leaf in leaves(item)]


def test_every_page_is_in_the_navigation_once(settings):
    assert sorted(leaves(settings["nav"])) == [f"{name}.md" for name in PAGES]


def anchors(text):
    """Those that headings get, in the order of the page, and those written out."""
    found = set()
    for heading in text.headings():
        words = re.sub(r"`|\*|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor, number = slugify(words, "-"), 0
        while anchor in found:
            number += 1
            anchor = f"{slugify(words, '-')}_{number}"
        found.add(anchor)
    return found | set(re.findall(r'(?:id="|\{ ?#)([\w-]+)', text.text))


@pytest.mark.parametrize("name", [*PAGES, "../README"])
def test_links_lead_somewhere(page, name, root):
    links = re.findall(r"\]\(([^)\s]+)\)", page(name).prose())
    base = DOCS.parent if name == "../README" else DOCS
    for link in links:
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (base / file) if file else DOCS / f"{name}.md"
        if not (root / "plugins").is_dir() and not target.exists():
            continue  # an sdist has not all that the README links to
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            there = page(target.relative_to(DOCS).with_suffix("").as_posix())
            assert anchor in anchors(there), link


def texts(page):
    return [(name, page(name).text) for name in [*PAGES, "../README"]]


def test_checks_that_are_named_are_there(page):
    ids = {check.id for check in CHECKS}
    families = "|".join({check.family for check in CHECKS})
    for name, text in texts(page):
        named = set(re.findall(rf"\b(?:{families})-\d+\b", text))
        assert named <= ids, name


def model_args(text):
    """Model arguments as they are shown, but for what stands in for other values."""
    joined = text.replace("\\\n", " ")
    ours = (line for line in joined.splitlines() if "--model hf" not in line)
    for found in re.findall(r"--model_args[= ]+(\S+)", "\n".join(ours)):
        given = simple_parse_args_string(found.strip("`").removesuffix("..."))
        yield {k: v for k, v in given.items() if v != "..."}


def test_model_arguments_that_are_shown_are_taken(page):
    seen = 0
    for _, text in texts(page):
        for given in model_args(text):
            if given.get("strategy") in EXAMPLES - set(strategy_names()):
                continue
            # calibration files are made by the reader
            if "calibration" not in given:
                parse({"slm": "demo-slm", "llm": "demo-llm", "device": "cpu"} | given)
                seen += 1
    assert seen >= 4


def parser_of(name):
    parser = argparse.ArgumentParser(prog=name, allow_abbrev=False)
    importlib.import_module(f"hybridcore.cli.{name}").add_arguments(parser)
    return parser


def options(parser, group=None):
    """The long names of the options of one group, or of none of the shared ones."""
    return {
        action.option_strings[0]
        for part in parser._action_groups
        for action in part._group_actions
        if action.option_strings and action.dest != "help"
        if (part.title == group if group else part.title not in SHARED)
    }


def groups(parser):
    return {part.title for part in parser._action_groups} & SHARED


def commands_section(page, name):
    """The section of a command; ``###`` stands below ``## Shared``."""
    return page("commands").section(name)


def test_every_command_has_a_line_and_a_section(page):
    rows = {row[0]: row[1] for row in page("commands").rows() if "](#" in row[0]}
    assert list(rows) == [f"[`{name}`](#{name})" for name in sorted(COMMANDS)]
    for name in COMMANDS:
        assert commands_section(page, name).text.strip()


@pytest.mark.parametrize("name", [name for name in OURS if name != "bench"])
def test_every_option_of_a_command_is_described(page, name):
    section, parser = commands_section(page, name), parser_of(name)
    assert sorted(section.names()) == sorted(options(parser))
    linked = set(re.findall(r"\]\(#(the-\w+)\)", section.text))
    assert linked == {group.replace(" ", "-") for group in groups(parser)}


def test_the_options_that_commands_share(page):
    text = commands_section(page, "Shared").text
    parts = re.findall(r"^### (.*)\n((?:(?!###).*\n)*)", text, re.M)
    described = {title.lower(): body for title, body in parts}
    assert set(described) == SHARED
    for name in OURS:
        parser = parser_of(name)
        for group in groups(parser):
            rows = re.findall(r"^\| `(--[\w-]+)`", described[group], re.M)
            assert sorted(rows) == sorted(options(parser, group)), (name, group)


def test_the_options_of_the_benchmarks(page):
    rows = commands_section(page, "bench").rows()
    (nested,) = (a for a in parser_of("bench")._actions if a.choices)
    for name, parser in nested.choices.items():
        own = [r[0].strip("`") for r in rows if r[1] == "all" or f"`{name}`" in r[1]]
        assert sorted(own) == sorted(options(parser)), name


def shown_commands(text):
    """``hybridlm`` lines of code blocks, as words."""
    for line in text.replace("\\\n", " ").splitlines():
        found = re.match(r"^(?: {4}|)hybridlm ([a-z]+ .*|[a-z]+)$", line)
        if found and found[1].split()[0] in COMMANDS:
            yield shlex.split(found[1].partition("  #")[0])


def test_commands_that_are_shown_can_be_given(page):
    seen = set()
    for _, text in texts(page):
        for name, *rest in shown_commands(text):
            if name != "eval" and "..." not in rest:
                parser_of(name).parse_args(rest)
                seen.add(name)
    assert {"new", "compare"} <= seen


def test_commands_that_are_named_are_there(page):
    for name, text in texts(page):
        named = set(re.findall(r"`hybridlm ([a-z]+)", " ".join(text.split())))
        assert named <= set(COMMANDS), name
