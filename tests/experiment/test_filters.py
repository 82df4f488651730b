"""A task may be judged by another of its filters than the first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybridcore.experiment.command_line import metrics_of

TASK = "two_filters"
# whatever the models say, the first filter never gives the target, the second always
YAML = """
task: two_filters
dataset_path: local
custom_dataset: !function two.load
output_type: generate_until
test_split: test
doc_to_text: "{{q}}"
doc_to_target: "nothing"
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
filter_list:
  - name: whole
    filter:
      - function: take_first
  - name: number
    filter:
      - function: regex
        regex_pattern: "NEVER (x)"
        fallback: nothing
      - function: take_first
generation_kwargs:
  until: ["."]
  do_sample: false
  max_gen_toks: 6
"""
LOADER = """
from datasets import Dataset, DatasetDict


def load(**_):
    asked = ["Question: Eva has 13 keys.", "Question: Tom starts with 20 pens."]
    return DatasetDict(test=Dataset.from_dict({"q": asked}))
"""


@pytest.fixture
def compared(hybridlm, tmp_path: Path):
    (tmp_path / "two.yaml").write_text(YAML)
    (tmp_path / "two.py").write_text(LOADER)
    line = ["compare", "--strategies", "entropy", "--tasks", TASK]
    line += ["--include-path", str(tmp_path), "--resamples", "100", "--json"]

    def run(metric: str) -> tuple[int, str, str]:
        path = str(tmp_path / f"run {metric}")
        return hybridlm(*line, "--metric", metric, "--output", path)

    return run


@pytest.mark.parametrize(
    ("asked", "metric", "value"),
    [
        ("", "exact_match,whole", 0.0),
        ("exact_match,number", "exact_match,number", 1.0),
        (f"{TASK}=exact_match,number", "exact_match,number", 1.0),
    ],
)
def test_a_task_is_judged_by_its_first_or_by_what_is_asked(
    compared, asked: str, metric: str, value: float
) -> None:
    code, out, err = compared(asked)
    assert code == 0, err
    rows = json.loads(out)["rows"]
    assert len(rows) > 3
    assert {(row["metric"], row["value"]) for row in rows} == {(metric, value)}
    assert {row["documents"] for row in rows} == {2}


def test_a_filter_that_is_not_there(compared) -> None:
    code, _, err = compared("exact_match,numbers")
    assert code == 1
    assert f"task '{TASK}' has no filter 'numbers'; did you mean 'number'?" in err
    assert "its filters: whole, number" in err


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ("", {}),
        ("acc", {"": "acc"}),
        ("exact_match,flexible-extract", {"": "exact_match,flexible-extract"}),
        (
            "gsm8k=exact_match,flexible-extract, b=acc",
            {"gsm8k": "exact_match,flexible-extract", "b": "acc"},
        ),
        ("acc,b=f1", {"": "acc", "b": "f1"}),
    ],
)
def test_metrics_of_a_command_line(text: str, metrics: dict[str, str]) -> None:
    assert metrics_of(text) == metrics
