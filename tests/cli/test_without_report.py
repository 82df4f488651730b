"""Without the extra ``report``, commands run, and say what a page needs."""

import subprocess
import sys

from hybridcore.cli import demo, main
from hybridcore.errors import HybridLMError

PROGRAM = """
import sys

sys.modules["matplotlib"] = None
from hybridcore.cli import main
from hybridcore.cli.report import page_of

print(main(["compare", "--no-report", "--strategies", "entopy"]))
print(main(["sweep", "--points", "2", "--strategy", "entopy"]))
print(main(["report", "."]))
print(page_of("."))
main(["compare", "--help"])
"""


def test_experiments_need_no_extra(tmp_path):
    line = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        line, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    said = "a report needs matplotlib, which is not installed"
    codes, shown = done.stdout.split("usage: ")
    assert codes.split("\n") == ["1", "1", "1", f"(None, 'no report: {said}')", ""]
    assert "--no-report" in shown
    assert done.stderr.count("did you mean 'entropy'?") == 2
    assert f"error: {said}\npip install 'hybridlm[report]'" in done.stderr


def test_an_error_of_its_arguments_is_one_line(monkeypatch, capsys):
    def fail(parser: object) -> None:
        raise HybridLMError("planted")

    monkeypatch.setattr(demo, "add_arguments", fail)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == "error: planted\n"
