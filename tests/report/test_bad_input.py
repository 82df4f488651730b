"""Files that are missing, cut off, foreign, or too few: one clear line each."""

import json
from pathlib import Path

import pytest

from hybridcore.cli import main
from hybridcore.report import write_report
from hybridcore.report.metric import Metrics
from hybridcore.report.notes import Notes
from hybridcore.report.run_directory import read_run_directory


def said(capsys, *arguments):
    """Run the command; return its exit code and the lines on standard error."""
    code = main(["report", *map(str, arguments)])
    return code, capsys.readouterr().err.splitlines()


def read(folder):
    notes = Notes()
    return read_run_directory(folder, Metrics(None, notes)), list(notes)


def refused(capsys, *arguments):
    code, lines = said(capsys, *arguments)
    assert code == 1
    assert lines[0].startswith("error: ")
    assert len(lines) <= 2
    return lines[0]


def test_a_path_that_is_not_there(write, capsys):
    line = refused(capsys, write.folder / "gone")
    assert line.endswith("gone': no such file or folder")


def test_a_folder_with_nothing_of_ours(write, capsys):
    (write.folder / "other.json").write_text("{}")
    (write.folder / "other.txt").write_text("text")
    assert "nothing to report on" in refused(capsys, write.folder)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("results_x.json", '{"results": {"a"', "is not complete JSON"),
        ("results_x.json", "{}", "is no results file of lm_eval"),
        ("results_x.json", "[1]", "expected a JSON object, got list"),
        ("results_x.json", "\x00\xff", "is not complete JSON"),
        ("x.jsonl", '{"some": "thing"}\n', "neither logged samples of lm_eval nor a"),
        ("x.jsonl", "{{{\n", "neither logged samples of lm_eval nor a trace"),
        ("picture.png", "PNG", "neither logged samples of lm_eval nor a trace"),
    ],
)
def test_a_file_named_that_is_of_no_use(write, capsys, name, text, expected):
    path = write.folder / name
    path.write_text(text, encoding="latin-1")
    line = refused(capsys, path)
    assert expected in line
    assert str(path) in line


@pytest.mark.parametrize("version", [2, "1", None])
def test_a_run_directory_of_another_format(write, capsys, version):
    line = refused(capsys, write.run(format=version))
    assert f"is a run directory of format {version!r}: expected 1" in line


def test_a_damaged_run_json(write, capsys):
    folder = write.run()
    (folder / "run.json").write_text('{"format": 1, "ki')
    assert "run.json' is not complete JSON" in refused(capsys, folder)


def test_a_run_without_a_finished_cell(write, capsys):
    folder = write.run(write.Cell("slm-only"))
    (folder / "cells/slm-only/cell.json").write_text('{"status": "failed"}')
    assert "has no finished cell" in refused(capsys, folder)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("cell.json", '{"id', "cell.json' is not complete JSON"),
        ("results.json", '{"resu', "results.json' is not complete JSON"),
        ("results.json", None, "results.json' cannot be read: No such file"),
    ],
)
def test_a_damaged_cell_is_left_out_with_a_note(write, file, text, expected):
    folder = write.run()
    path = folder / "cells" / "slm-only" / file
    path.unlink() if text is None else path.write_text(text)
    run, notes = read(folder)
    assert len(run.cells) == 4
    (line,) = [line for line in notes if expected in line]
    assert line.endswith("its cell is left out")


def test_a_line_cut_off_is_left_out_with_a_note(write, capsys):
    folder = write.run()
    path = folder / "cells" / "slm-only" / "trace.jsonl"
    path.write_text(path.read_text()[:-40])
    code, lines = said(capsys, folder)
    assert code == 0
    assert any(
        "trace.jsonl': line 4 is not complete JSON: left out" in x for x in lines
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [('[{"cell"', "is not complete JSON"), ('{"a": 1}', "expected a list of rows")],
)
def test_a_damaged_summary_is_noted(write, text, expected):
    folder = write.run()
    (folder / "summary.json").write_text(text)
    (line,) = read(folder)[1]
    assert expected in line
    assert line.endswith("intervals are of this report's making")


def test_zero_documents(write, capsys):
    folder = write.run(write.Cell("uncertainty", right=[]))
    assert "no documents in" in refused(capsys, folder)


def test_one_document_has_no_interval_and_the_page_says_so(write, capsys):
    folder = write.run(write.Cell("uncertainty", right=[True]))
    assert said(capsys, folder)[0] == 0
    page = (folder / "report.html").read_text()
    assert "one document: no interval" in page
    assert "no interval can be given" in page


def test_a_metric_that_no_task_has(write, capsys):
    code, lines = said(capsys, write.run(), "--metric", "acc")
    assert code == 1
    assert lines == [
        "error: no task has a metric 'acc'",
        "expected one of sums: exact_match,none",
    ]


def test_a_page_that_cannot_be_written(write, capsys):
    (write.folder / "file").write_text("")
    line = refused(capsys, write.run(), "--output", write.folder / "file" / "r.html")
    assert "cannot be written" in line


@pytest.mark.parametrize(
    "line",
    [
        {"strategy": "x", "tally": None, "task": "sums", "doc_id": 0},
        {"strategy": "x", "tally": {}, "task": 5, "doc_id": 0},
        {"strategy": "x", "tally": {"tokens_out": "many"}, "task": "sums", "doc_id": 0},
        {"strategy": None, "tally": [], "task": "sums", "doc_id": None, "tokens": 3},
        {"strategy": "x", "tally": {}, "task": "s", "doc_id": 1, "tokens": [1, None]},
        {"strategy": "x", "tally": {}, "task": "s", "doc_id": 1, "tokens": 7},
        {"strategy": "x", "tally": {}, "task": "s", "doc_id": 1, "kind": "scoring",
         "parts": [5, {"from_llm": 3}], "log_likelihood": "?"},
    ],
)  # fmt: skip
def test_odd_lines_never_end_in_a_traceback(write, capsys, line):
    good = write.trace(write.Cell("uncertainty"))
    path = write.lines("trace.jsonl", [*good, line])
    code, _ = said(capsys, path)
    assert code == 0


def test_odd_results_never_end_in_a_traceback(write, capsys):
    made = write.Cell("uncertainty")
    odd = {"config": [], "n-samples": {"sums": 4}, "higher_is_better": None}
    write.results("results_1.json", made, **odd)
    write.lines("samples_sums.jsonl", [{"doc_id": 0, "resps": 5, "arguments": 5}])
    assert said(capsys, write.folder)[0] == 0
    assert json.loads((write.folder / "results_1.json").read_text())


def test_a_trace_that_samples_do_not_tell_the_documents_of(write):
    folder = write.run(write.Cell("uncertainty"))
    path = folder / "cells/uncertainty" / "samples_sums.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[1][:40] + "\n", *lines[2:]]))
    run, notes = read(folder)
    assert any("nobody can say whose the lines of the trace are" in n for n in notes)
    outcome = run.cells[0].tasks["sums"]
    assert all(answer.tokens is None for answer in outcome.answers.values())
    assert len(outcome.answers) == 3


@pytest.mark.parametrize(
    "counts",
    [
        {"acceptance_histogram": 5},
        {"acceptance_histogram": ["x", None, -3, 2]},
        {"acceptance_histogram": {"0": 1}},
        {"acceptance_histogram": [1, 2], "mean_acceptance_length": "long"},
        {"acceptance_histogram": [1, 2], "draft_acceptance_rate": [1]},
        {"llm_forwards": True, "llm_tokens_processed": 10**400},
        {"activated_params_per_token": "many", "tokens_out": 10**400},
    ],
)
def test_odd_counts_never_end_in_a_traceback(write, capsys, counts):
    folder = write.run(write.Cell("uncertainty"))
    path = folder / "cells/uncertainty" / "results.json"
    results = json.loads(path.read_text())
    results["config"]["hybrid"]["tasks"] = {"sums": counts}
    path.write_text(json.dumps(results))
    assert said(capsys, folder)[0] == 0


def test_odd_settings_never_end_in_a_traceback(write, capsys):
    made = write.Cell("uncertainty")
    write.results("results_1.json", made, **{"n-shot": {"sums": [3]}})
    sample = {"doc_id": 0, "arguments": [["q", " a"]]}
    write.lines("samples_sums.jsonl", [{**sample, "resps": [[10**400]]}])
    assert said(capsys, write.folder)[0] == 0


def test_a_part_of_the_gap_that_is_no_number_is_left_out(write, capsys):
    folder = write.run()
    share = {"value": 0.2}
    cpt = {"0.8": share, "most": share, "nan": share, "": share}
    curve = {"task": "sums", "family": "uncertainty", "apgr": 3, "cpt": cpt}
    (folder / "curves.json").write_text(json.dumps([curve]))
    assert said(capsys, folder)[0] == 0
    assert read(folder)[0].curves["sums"][0].cpt.keys() == {"0.8"}


def test_a_page_that_was_there_stays_until_the_new_one_is_whole(write, monkeypatch):
    page = write_report([write.run()]).page
    before = page.read_bytes()
    wrote = Path.write_bytes

    def killed(self, data):
        if "report.html" in self.name:
            wrote(self, data[:100])
            raise KeyboardInterrupt
        return wrote(self, data)

    monkeypatch.setattr(Path, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        write_report([page.parent])
    assert page.read_bytes() == before
