"""Without the extra ``report``, commands run, and say what a page needs."""

import sys

import pytest

import hybridcore.report
from hybridcore import cli
from hybridcore.cli import demo, main
from hybridcore.errors import HybridLMError

NEEDS = "a report needs matplotlib"


@pytest.fixture
def no_matplotlib(monkeypatch):
    """Python as it starts where matplotlib is not installed."""
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    imported = [(cli, name) for name in ("compare", "sweep", "report")]
    for package, name in [*imported, (hybridcore.report, "writing")]:
        monkeypatch.delitem(sys.modules, f"{package.__name__}.{name}", raising=False)
        if name in vars(package):
            monkeypatch.delattr(package, name)


@pytest.mark.parametrize(
    "line",
    [
        ["compare", "--no-report", "--strategies", "entopy"],
        ["sweep", "--points", "2", "--strategy", "entopy"],
    ],
)
def test_experiments_need_no_extra(no_matplotlib, capsys, line):
    with pytest.raises(SystemExit) as left:
        main([line[0], "--help"])
    assert left.value.code == 0
    assert "--no-report" in capsys.readouterr().out
    assert main(line) == 1
    assert "did you mean 'entropy'?" in capsys.readouterr().err


def test_a_page_says_what_it_needs(no_matplotlib, capsys, tmp_path):
    assert main(["report", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {NEEDS}")
    assert said.endswith("pip install 'hybridlm[report]'\n")
    from hybridcore.cli.report import page_of

    page, line = page_of(tmp_path)
    assert page is None
    assert line.startswith(f"no report: {NEEDS}")


def test_an_error_of_its_arguments_is_one_line(monkeypatch, capsys):
    def fail(parser: object) -> None:
        raise HybridLMError("planted")

    monkeypatch.setattr(demo, "add_arguments", fail)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == "error: planted\n"
