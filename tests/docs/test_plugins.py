"""The directory of plugins, against what is installed."""

from importlib.metadata import entry_points

import tomli

from hybridcore.discovery import GROUP, load_class
from hybridcore.options import option_fields


def shipped():
    points = entry_points(group=GROUP)
    ours = [p for p in points if p.module.startswith("hybridlm_strategy_")]
    return {p.name: p for p in ours}


def test_strategies_distributions_and_options(page):
    rows = [row for row in page("plugins").rows() if len(row) == 3]
    told = {row[0].strip("`"): row for row in rows}
    assert set(told) <= set(shipped())
    for name, (_, distribution, options) in told.items():
        assert distribution.strip("`") == shipped()[name].dist.name
        declared = option_fields(load_class(name))
        assert options.replace("`", "").split(", ") == (list(declared) or [""])


def test_every_strategy_of_the_checkout_is_listed(page, root):
    listed = {row[0].strip("`") for row in page("plugins").rows() if len(row) == 3}
    files = (root / "plugins").glob("*/pyproject.toml")
    projects = [tomli.loads(file.read_text())["project"] for file in files]
    assert listed == {n for p in projects for n in p["entry-points"][GROUP]}


def test_defaults_and_ranges(page):
    told = {row[0]: row for row in page("plugins").rows() if len(row) == 4}
    expected = {}
    for name, point in shipped().items():
        for option, field in option_fields(point.load()).items():
            expected[f"`{option}` of `{name}`"] = field
    listed = {k: v for k, v in expected.items() if k.split("`")[3] in told_of(page)}
    assert set(told) == set(listed)
    for key, field in listed.items():
        _, default, limits, _ = told[key]
        assert default == str(field.default)
        spec = field.metadata["option"]
        for bound in (spec.minimum, spec.maximum):
            assert bound is None or f"{bound:g}" in limits.split()


def told_of(page):
    return {row[0].strip("`") for row in page("plugins").rows() if len(row) == 3}


def test_the_pyproject_is_one_like_ours(page, root):
    (block, _) = page("packaging").blocks()
    told = tomli.loads(block.text)
    ours = tomli.loads((root / "plugins/entropy/pyproject.toml").read_text())
    assert told["build-system"] == ours["build-system"]
    assert set(told["project"]) == set(ours["project"])
    same = ("license", "license-files", "requires-python", "keywords", "dependencies")
    for key in same:
        assert told["project"][key] == ours["project"][key]
    names = dict(page("packaging").section("Names").rows())
    name = told["project"]["name"]
    assert names["distribution"].strip("`") == name
    ((entry, target),) = told["project"]["entry-points"][GROUP].items()
    module, kind = target.split(":")
    assert names["module"].strip("`") == module == name.replace("-", "_")
    assert names["class"].strip("`") == kind
    assert names["entry point"].strip("`") == f'{entry} = "{target}"'
