"""lm_eval's own files and a trace are enough for a page."""

import json

import pytest
import torch
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from hybridcore import HybridLM
from hybridcore.cli import main
from hybridcore.demo import tasks_path
from hybridcore.errors import ReportError
from hybridcore.report.loose_run import read_loose
from hybridcore.report.metric import Metrics
from hybridcore.report.notes import Notes

TASKS = ("hybrid_demo_generation", "hybrid_demo_choice")


def read(*paths):
    notes = Notes()
    return read_loose(paths, Metrics(None, notes)), list(notes)


def evaluate(folder, **asked):
    """Evaluate, log and trace into a folder as lm_eval's own command line does."""
    args = {"device": "cpu", "dtype": "float32", "trace": str(folder / "trace.jsonl")}
    tracker = EvaluationTracker(output_path=str(folder))
    results = simple_evaluate(
        HybridLM("demo-slm", "demo-llm", "uncertainty", threshold=0.1, **args),
        tasks=list(TASKS),
        task_manager=TaskManager(
            include_path=str(tasks_path()), include_defaults=False
        ),
        bootstrap_iters=100,
        evaluation_tracker=tracker,
        **asked,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task in TASKS:
        tracker.save_results_samples(task_name=task, samples=samples[task])
    return folder


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A folder that ``lm_eval --log_samples`` wrote into, with a trace beside."""
    torch.set_num_threads(1)
    return evaluate(tmp_path_factory.mktemp("lm_eval"), limit=3)


def test_what_lm_eval_wrote_is_read(evaluated):
    run, notes = read(evaluated)
    assert notes == []
    (cell,) = run.cells
    assert cell.label == "uncertainty threshold=0.1"
    assert set(cell.tasks) == set(TASKS)
    (results,) = evaluated.rglob("results_*.json")
    said = json.loads(results.read_text())
    for task, metric in zip(TASKS, ("exact_match,answer", "acc,none"), strict=True):
        outcome = cell.tasks[task]
        counts = said["config"]["hybrid"]["tasks"][task]
        assert outcome.metric == metric
        assert outcome.value.value == said["results"][task][metric]
        assert outcome.documents == len(outcome.answers) == 3
        of_llm = counts["tokens_from_llm"] + counts["scored_from_llm"]
        whole = counts["tokens_out"] + counts["scored_tokens"]
        assert outcome.share.value == of_llm / whole
    generated = cell.tasks[TASKS[0]].answers[0, 0]
    assert set(generated.tokens.kinds) == {"s", "l"}
    assert len(cell.tasks[TASKS[1]].answers[0, 0].scored) == 4


def test_chosen_documents_have_their_own_tokens(tmp_path):
    """A trace counts what was asked, logged samples have the task's numbers."""
    torch.set_num_threads(1)
    chosen = [1, 2]
    evaluate(tmp_path, samples=dict.fromkeys(TASKS, chosen))
    run, notes = read(tmp_path)
    assert notes == []
    (cell,) = run.cells
    generated, scored = (cell.tasks[task].answers for task in TASKS)
    assert sorted(generated) == sorted(scored) == [(n, 0) for n in chosen]
    (logged,) = tmp_path.rglob(f"samples_{TASKS[0]}*.jsonl")
    said = [json.loads(line) for line in logged.read_text().splitlines()]
    texts = {line["doc_id"]: line["resps"][0][0] for line in said}
    assert texts[1] != texts[2]
    assert {n: one.text for (n, _), one in generated.items()} == texts
    assert all(one.tokens.kinds for one in generated.values())
    # a likelihood of another document would have found none of the trace
    assert all(one.kinds for answer in scored.values() for one in answer.scored)


def test_a_page_is_made_of_it(evaluated, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["report", str(evaluated), "--output", str(page), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["page"] == str(page)
    kinds = {path.rpartition(".")[2] for path in said["figures"]}
    assert kinds == {"svg", "png"}
    text = page.read_text()
    assert "uncertainty threshold=0.1" in text
    # the model was made in Python: no command line gives it again
    assert "lm_eval run" not in text


def test_the_command_is_that_of_the_results(write):
    write.results("results_a.json", write.Cell("entropy"), date=1.0)
    run, _ = read(write.folder)
    line = "lm_eval run --model hybrid --model_args slm=small --tasks sums"
    assert run.cells[0].commands == [line]


def test_a_trace_alone_is_enough(evaluated):
    run, _ = read(evaluated / "trace.jsonl")
    (cell,) = run.cells
    assert cell.tasks[TASKS[0]].value is None
    assert cell.tasks[TASKS[0]].share.value > 0


def test_samples_alone_are_enough(write):
    path = write.lines("samples_sums.jsonl", write.samples(write.Cell("entropy")))
    run, notes = read(path)
    (cell,) = run.cells
    assert cell.tasks["sums"].value.value == 0.75
    assert cell.tasks["sums"].share is None
    assert "no results file beside it says what ran" in notes[0]


def test_of_two_results_of_one_thing_the_newer_counts(write):
    old = write.Cell("entropy", right=[False] * 4)
    new = write.Cell("entropy", right=[True] * 4)
    write.results("results_a.json", new, date=2.0)
    write.results("results_b.json", old, date=1.0)
    run, notes = read(write.folder)
    (cell,) = run.cells
    assert cell.tasks["sums"].value.value == 1.0
    assert "results_b.json' is older on sums: left out" in notes[0]


def test_a_trace_goes_to_the_results_of_its_options(write):
    cells = [write.Cell("entropy", {"threshold": t}, kinds=k) for t, k in KINDS]
    for number, cell in enumerate(cells):
        write.results(f"results_{number}.json", cell, date=float(number))
        write.lines(f"trace_{number}.jsonl", write.trace(cell))
    run, _ = read(write.folder)
    shares = {c.options["threshold"]: c.tasks["sums"].share.value for c in run.cells}
    assert shares == {0.1: 1.0, 0.9: 0.5}


KINDS = ((0.1, "llllll"), (0.9, "slslsl"))


def test_a_folder_of_other_things(write):
    write.lines("other.jsonl", [{"a": 1}])
    with pytest.raises(ReportError, match="nothing to report on"):
        read(write.folder)
