"""``pytest --hybridlm-strategy``: what it runs, shows, writes and refuses."""

import json
import subprocess
import sys

import pytest

from .mutants.distributions import SOURCE

pytest_plugins = ["pytester"]

MISSPELT = (
    SOURCE
    + '''
    @hookimpl
    def route_tokens(self, step):
        """Not a hook."""
'''
)
PLUGIN = ("-p", "hybridcore.conformance.plugin")


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest in an empty folder, with our plugin and no other."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return lambda *args: pytester.runpytest_subprocess(*PLUGIN, *args)


def planted(**fields):
    return {
        "module": f"hybridlm_strategy_planted_{len(fields.get('source', ''))}"
    } | fields


def test_the_suite_alone_runs_with_its_version_in_the_header(run, pytester):
    pytester.makepyfile("def test_of_the_author(): assert False")
    result = run("--hybridlm-strategy", "entropy", "-k", "LOAD-3 or LOAD-4", "-v")
    result.stdout.fnmatch_lines(
        [
            "conformance 1.0: entropy",
            "conformance::entropy::LOAD-3 PASSED*",
            "conformance::entropy::LOAD-4 PASSED*",
        ]
    )
    result.assert_outcomes(passed=2, deselected=28)


def test_a_failure_says_all_that_is_needed_and_gates_the_rest(run, installed):
    name = installed(**planted(source=MISSPELT))
    result = run("--hybridlm-strategy", name, "-k", "LOAD-3 or ROUTE-1", "-rs")
    result.stdout.fnmatch_lines(
        [
            f"* {name}: LOAD-3 *",
            "LOAD-3  every hook has the name and arguments of a spec: failed",
            "  expected  @hookimpl on one of route_token, draft, *",
            "  got       'route_tokens'; did you mean 'route_token'?",
            "  see       docs/conformance.md#load-3",
            "SKIPPED * fix LOAD-3 first",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    # ROUTE-1 and ROUTE-10
    result.assert_outcomes(failed=1, skipped=2, deselected=27)


def test_several_strategies_with_options(run):
    names = ("entropy:threshold=0.3", "uncertainty")
    given = [part for name in names for part in ("--hybridlm-strategy", name)]
    result = run(*given, "-k", "LOAD-10")
    result.stdout.fnmatch_lines(["conformance 1.0: entropy:threshold=0.3 uncertainty"])
    assert result.parseoutcomes()["passed"] == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("entopy", "*no strategy named 'entopy'; did you mean 'entropy'?"),
        ("entropy:thresh=1", "*Entropy has no option 'thresh'; did you mean 'thresh*"),
        ("entropy:threshold=x", "*option threshold='x' of Entropy: expected a number*"),
    ],
)
def test_what_cannot_be_run_is_one_line(run, name, message):
    result = run("--hybridlm-strategy", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_known_failures_are_strict(run, installed):
    declared = '    conformance_xfail = {"LOAD-3": "of old", "LOAD-4": "no more"}\n'
    source = MISSPELT.replace("    threshold:", f"{declared}\n    threshold:", 1)
    name = installed(**planted(source=source))
    result = run("--hybridlm-strategy", name, "-k", "LOAD-3 or LOAD-4", "-rx")
    result.stdout.fnmatch_lines(
        [
            "LOAD-4  no argument of a hook has a default: xpassed",
            "  reason    conformance_xfail says 'no more', but it passes: *",
            "XFAIL *LOAD-3 - of old",
        ]
    )
    result.assert_outcomes(failed=1, xfailed=1, deselected=28)


def test_a_known_failure_of_no_check_is_refused(run, installed):
    declared = '    conformance_xfail = {"LAOD-3": "of old"}\n'
    source = SOURCE.replace("    threshold:", f"{declared}\n    threshold:", 1)
    result = run("--hybridlm-strategy", installed(**planted(source=source)))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*names 'LAOD-3': no such check; did you mean*"])


def test_settings_run_the_suite_beside_the_tests(run, pytester):
    pytester.makeini("[pytest]\nhybridlm_strategies = entropy slm-only")
    path = pytester.makepyfile("def test_of_the_author(): pass")
    run("-k", "author or LOAD-10").assert_outcomes(passed=3, deselected=57)
    # a path that is given is all that is meant
    run(path).assert_outcomes(passed=1)


def test_paths_and_strategies_together(run, pytester):
    path = pytester.makepyfile("def test_of_the_author(): pass")
    result = run("--hybridlm-strategy", "entropy", path, "-k", "author or LOAD-10")
    result.assert_outcomes(passed=2, deselected=29)


def test_a_broken_import_is_a_failure_and_not_a_crash(run, installed):
    name = installed(**planted(source="import no_such_module\n"))
    result = run("--hybridlm-strategy", name, "-k", "LOAD")
    result.stdout.fnmatch_lines(["  got *No module named 'no_such_module'"])
    result.assert_outcomes(failed=1, skipped=9, deselected=35)


def test_the_report(run, installed, tmp_path):
    file = tmp_path / "report.json"
    name = installed(**planted(source=MISSPELT))
    given = [
        "--hybridlm-strategy",
        name,
        "--hybridlm-strategy",
        "entropy:threshold=0.3",
    ]
    run(*given, "-k", "LOAD-3 or LOAD-4", f"--hybridlm-report={file}")
    report = json.loads(file.read_text())
    assert report["suite"] == "1.0"
    first, second = report["strategies"]
    assert first["distribution"] == "hybridlm-strategy-planted"
    assert first["version"] == "0.1"
    outcomes = {told["id"]: told["outcome"] for told in first["checks"]}
    assert outcomes == {"LOAD-3": "failed", "LOAD-4": "passed"}
    (failed,) = (told for told in first["checks"] if told["outcome"] == "failed")
    assert failed["got"].startswith("'route_tokens'")
    assert second["options"] == {"threshold": "0.3"}
    assert second["counts"] == {"passed": 2}
    # what was not run does not conform
    assert not first["conforms"]
    assert not second["conforms"]
    assert "LOAD-1" in second["left_out"]


def test_projects_that_have_nothing_to_do_with_us(tmp_path):
    """No torch, and no warning where warnings are errors."""
    code = (
        "import sys\n"
        "def test_it():\n"
        "    assert 'hybridcore.conformance.plugin' in sys.modules\n"
        "    assert not {'torch', 'hybridcore.errors'} & set(sys.modules)\n"
    )
    (tmp_path / "test_it.py").write_text(code)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-W", "error"]
    done = subprocess.run(
        [*command, *PLUGIN, "-p", "no:hybridlm", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
