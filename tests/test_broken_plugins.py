"""Broken distributions on the path, as they would be installed: one line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridcore.cli import main
from hybridcore.discovery import create, listings
from hybridcore.errors import OptionError, StrategyBroken, StrategyCollision

HEAD = "from hybridcore import Strategy, hookimpl, option\n"
HOOK = "    @hookimpl\n    def route_token(self, step): pass\n"
# name: what its module says, and what is said of it
BROKEN = {
    "imports": ("import no_such_module", "failed to import: No module named 'no_such"),
    "raises": ("raise RuntimeError('one\\ntwo')", "failed to import: one"),
    "exits": ("import sys\nsys.exit('bye')", "failed to import: bye"),
    "syntax": ("def (:", "failed to import: invalid syntax"),
    "lacks": ("x = 1", "failed to import: module 'lacks_module' has no attribute 'X'"),
    "number": ("X = 3", ": 'number_module:X' is 3, expected a subclass of Strategy"),
    "class": ("class X: pass", "expected a subclass of Strategy"),
    "base": ("from hybridcore import Strategy as X", "expected a subclass of Strategy"),
    "hook": (
        f"{HEAD}class X(Strategy):\n{HOOK.replace('token', 'tokn')}",
        ": strategy X: no hook named 'route_tokn'; did you mean 'route_token'?",
    ),
}
WHOLE = f"{HEAD}class X(Strategy):\n    level: int = option(1)\n{HOOK}"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Lay a distribution with one strategy on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def lay(name: str, code: str, distribution: str = "") -> str:
        distribution = distribution or f"hybridlm-strategy-{name}"
        module = f"{distribution.removeprefix('hybridlm-strategy-')}_module"
        module = module.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{distribution.replace('-', '_')}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n"
        )
        (info / "entry_points.txt").write_text(
            f"[hybridlm.strategies]\n{name} = {module}:X\n"
        )
        return distribution

    return lay


@pytest.mark.parametrize("name", BROKEN)
def test_it_is_named_with_its_distribution_and_hurts_nobody_else(
    install, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    code, said = BROKEN[name]
    distribution = install(name, code)
    with pytest.raises(StrategyBroken) as error:
        create(name, {})
    line, *_ = str(error.value).splitlines()
    assert line.startswith(f"strategy {name!r} from {distribution} 1.5")
    assert said in line
    assert create("entropy", {"threshold": 1.0})
    assert main(["strategies"]) == 1
    printed = capsys.readouterr().out
    assert f"{name}  ({distribution} 1.5)\n    broken: {line}\n" in printed
    assert "entropy above which" in printed


def test_two_distributions_with_one_name(
    install, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, yours = install("shared", WHOLE, "mine"), install("shared", WHOLE, "yours")
    with pytest.raises(StrategyCollision) as error:
        create("shared", {})
    assert str(error.value).startswith(
        "two distributions provide the strategy 'shared': mine, yours\n"
    )
    assert type(create("yours:shared", {})).__module__ == "yours_module"
    assert create("entropy", {})
    rivals = {e.distribution: e.rivals for e in listings() if e.name == "shared"}
    assert rivals == {mine: (yours,), yours: (mine,)}
    assert main(["strategies"]) == 0
    printed = capsys.readouterr().out
    assert "also in yours: write strategy=mine:shared" in printed


def test_a_strategy_that_cannot_be_made(install) -> None:
    install("fails", WHOLE + "    def __post_init__(self): raise KeyError('x')\n")
    with pytest.raises(StrategyBroken, match=r"strategy 'fails' \(X\) cannot be made"):
        create("fails", {})
    install("wants", WHOLE.replace("option(1)", "option()"))
    with pytest.raises(OptionError, match="option level of X is missing: it has no"):
        create("wants", {})
    assert create("wants", {"level": "3"}).options() == {"level": 3}
