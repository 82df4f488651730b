"""What is read from a run directory."""

import json

import pytest

from hybridcore.report.metric import Metrics
from hybridcore.report.notes import Notes
from hybridcore.report.run_directory import read_run_directory


def read(folder, metric=None):
    notes = Notes()
    return read_run_directory(folder, Metrics(metric, notes)), list(notes)


def test_cells_are_sorted_by_strategy_and_option(write):
    thresholds = [0.5, 0.05, 10.0]
    cells = [write.Cell("uncertainty", {"threshold": t}) for t in thresholds]
    run, _ = read(write.run(*cells))
    assert [cell.options["threshold"] for cell in run.cells] == sorted(thresholds)


def test_values_and_shares_are_counted_from_documents(write):
    run, notes = read(write.run())
    outcome = next(c for c in run.cells if c.id == "uncertainty-threshold=0.1").tasks
    assert outcome["sums"].metric == "exact_match,none"
    assert outcome["sums"].value.value == 0.75
    assert outcome["sums"].share.value == 0.5
    assert outcome["sums"].share.documents == 4
    assert "summary.json" in notes[0]


def summary_row(**changes):
    row = {
        "cell": "uncertainty-threshold=0.1",
        "task": "sums",
        "metric": "exact_match,none",
        "value": 0.75,
        "low": 0.25,
        "high": 0.99,
        "llm_share": 0.5,
        "share_low": 0.41,
        "share_high": 0.59,
        "difference": -0.1,
        "difference_low": -0.3,
        "difference_high": 0.1,
        "pgr": 0.8,
        "pgr_low": None,
        "pgr_high": None,
        "documents": 4,
    }
    return {**row, **changes}


def test_a_summarys_own_estimates_are_shown(write):
    folder = write.run()
    rows = [summary_row(), summary_row(cell="slm-only", metric="other,none", low=0.0)]
    (folder / "summary.json").write_text(json.dumps(rows))
    run, notes = read(folder)
    assert not notes
    assert run.cells[0].id == "uncertainty-threshold=0.1"  # the summary's order
    outcome = run.cells[0].tasks["sums"]
    assert outcome.value.ends == (0.25, 0.99)
    assert outcome.share.ends == (0.41, 0.59)
    assert outcome.difference.ends == (-0.3, 0.1)
    assert (outcome.pgr.value, outcome.pgr.ends) == (0.8, None)
    assert run.cells[1].tasks["sums"].value.low != 0.0  # judged by another metric


def test_the_metric_of_the_summary_is_the_runs(write):
    folder = write.run(write.Cell("uncertainty", {"threshold": 0.1}))
    path = folder / "cells/uncertainty-threshold=0.1/results.json"
    results = json.loads(path.read_text())
    results["results"]["sums"]["f1,none"] = 0.5
    path.write_text(json.dumps(results))
    (folder / "summary.json").write_text(json.dumps([summary_row(metric="f1,none")]))
    assert read(folder)[0].cells[0].tasks["sums"].metric == "f1,none"
    asked = read(folder, "exact_match")[0].cells[0].tasks["sums"]
    assert asked.metric == "exact_match,none"
    assert asked.value.low != 0.25


def test_curves_are_read(write):
    folder = write.run()
    estimate = {"value": 0.7, "low": 0.6, "high": 0.8}
    curve = {"task": "sums", "family": "uncertainty", "apgr": estimate}
    curve["cpt"] = {"0.8": {**estimate, "value": 0.2}}
    (folder / "curves.json").write_text(json.dumps([curve]))
    (found,) = read(folder)[0].curves["sums"]
    assert (found.apgr.value, found.cpt["0.8"].value) == (0.7, 0.2)


def test_failed_cells_are_kept_with_their_error(write):
    folder = write.run()
    path = folder / "cells/slm-only/cell.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "status": "failed", "error": "out of memory"}))
    run, _ = read(folder)
    (failed,) = [cell for cell in run.cells if cell.error]
    assert (failed.id, failed.error, failed.tasks) == ("slm-only", "out of memory", {})


def test_unfinished_cells_are_no_cells(write):
    folder = write.run()
    (folder / "cells" / ".unfinished-x-1").mkdir()
    run, _ = read(folder)
    assert len(run.cells) == 5


@pytest.mark.parametrize("name", ["created", "seed", "torch"])
def test_versions_and_settings_are_facts(write, name):
    run, _ = read(write.run())
    assert name in run.facts
    assert run.command == "hybridlm compare --slm small --llm large"
    assert run.title == "small + large"
