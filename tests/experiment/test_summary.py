"""Rows and curves of a summary, beside scipy, scikit-learn and numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lm_eval.api import metrics
from scipy.stats import bootstrap, norm
from sklearn.metrics import auc

import hybridcore.experiment.curve as curve_module
from hybridcore.experiment.choice import Choice
from hybridcore.experiment.curve import axes, curves
from hybridcore.experiment.experiment import Experiment
from hybridcore.experiment.measured import Measured
from hybridcore.experiment.recovery import pinned
from hybridcore.experiment.summary import TaskSummary
from hybridcore.experiment.tasks import TaskFacts
from hybridcore.report.estimate import mean

DOCUMENTS = 90
CHOICE = Choice("entropy", {}, {"threshold": (0.1, 0.5)})
EXPERIMENT = Experiment("sweep", {}, (CHOICE,), resamples=4000, seed=5)
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(5, 60, DOCUMENTS).astype(float)
# cells: part of right answers, part of the LLM's tokens
CELLS = {
    "slm-only": (0.3, 0.0),
    "llm-only": (0.9, 1.0),
    "entropy 0.5": (0.5, 0.1),
    "entropy 0.1": (0.8, 0.3),
}
RIGHT = {n: (RNG.random(DOCUMENTS) < p).astype(float) for n, (p, _) in CELLS.items()}
# right and wrong mostly where the LLM is, as routing makes it
RIGHT["entropy 0.1"] = np.where(RNG.random(DOCUMENTS) < 0.1, 0.0, RIGHT["llm-only"])
FROM_LLM = {
    n: RNG.binomial(LENGTHS.astype(int), share).astype(float)
    for n, (_, share) in CELLS.items()
}


def measured(name: str, documents: int = DOCUMENTS) -> Measured:
    right = RIGHT[name][:documents]
    return Measured(
        documents=tuple((i, str(i)) for i in range(documents)),
        metric="exact_match,none",
        value=float(right.mean()),
        values=right.tolist(),
        from_llm=FROM_LLM[name][:documents],
        tokens=LENGTHS[:documents],
        counts={},
    )


def cell(name: str) -> dict:
    strategy, _, threshold = name.partition(" ")
    options = {"threshold": float(threshold)} if threshold else {}
    role = "candidate" if threshold else name
    said = {"strategy": strategy, "options": options, "role": role}
    return {"id": name, "label": name, **said}


def summary(higher: bool = True, **documents: int) -> TaskSummary:
    facts = TaskFacts("t", "generate_until", "exact_match", metrics.mean, higher)
    cells = [(cell(n), measured(n, documents.get(n, DOCUMENTS))) for n in CELLS]
    return TaskSummary(EXPERIMENT, facts, cells)


@pytest.fixture(scope="module")
def rows() -> dict[str, dict]:
    return {row["cell"]: row for row in summary().rows()}


def theirs(statistic, *samples) -> tuple[float, float]:
    """An interval of scipy's, with resamples of its own."""
    found = bootstrap(
        samples,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(99),
    ).confidence_interval
    return float(found.low), float(found.high)


def mean_difference(a, b, axis=-1):
    return a.mean(axis) - b.mean(axis)


def recovered(a, weak, strong, axis=-1):
    a, weak, strong = (x.mean(axis) for x in (a, weak, strong))
    return (a - weak) / (strong - weak)


@pytest.mark.parametrize("name", ["entropy 0.5", "entropy 0.1", "slm-only"])
def test_rows_have_the_values_and_intervals_of_scipy(rows, name) -> None:
    row, right = rows[name], RIGHT[name]
    weak, strong = RIGHT["slm-only"], RIGHT["llm-only"]
    assert row["value"] == right.mean()
    assert row["llm_share"] == FROM_LLM[name].sum() / LENGTHS.sum()
    assert row["difference"] == pytest.approx(right.mean() - strong.mean())
    assert row["pgr"] == pytest.approx(recovered(right, weak, strong))
    expected = {
        "": theirs(np.mean, right),
        "difference_": theirs(mean_difference, right, strong),
        "pgr_": theirs(recovered, right, weak, strong),
        "share_": theirs(
            lambda part, whole, axis=-1: part.sum(axis) / whole.sum(axis),
            FROM_LLM[name],
            LENGTHS,
        ),
    }
    for prefix, bounds in expected.items():
        found = row[f"{prefix}low"], row[f"{prefix}high"]
        # documents are 1/90 apart; two bootstraps differ by less than two of them
        assert found == pytest.approx(bounds, abs=2.2 / DOCUMENTS), prefix


def test_the_llm_beside_itself_differs_by_nothing(rows) -> None:
    row = rows["llm-only"]
    assert [row[f"difference{end}"] for end in ("", "_low", "_high")] == [0, 0, 0]
    assert [row[f"pgr{end}"] for end in ("", "_low", "_high")] == [1, 1, 1]


def test_differences_are_paired(rows) -> None:
    # unpaired, the spread of a difference is that of both means together
    name = "entropy 0.1"
    unpaired = bootstrap(
        (RIGHT[name], RIGHT["llm-only"]), mean_difference, n_resamples=4000, rng=1
    ).confidence_interval
    width = rows[name]["difference_high"] - rows[name]["difference_low"]
    gaps = RIGHT[name] - RIGHT["llm-only"]
    assert width == pytest.approx(2 * 1.96 * gaps.std() / np.sqrt(90), rel=0.2)
    assert width < 0.7 * (unpaired.high - unpaired.low)


def test_a_strategy_is_compared_with_random_beside_it() -> None:
    # the other candidate answers like a random cell, at about the same share
    mine, random = "entropy 0.1", "entropy 0.5"
    facts = TaskFacts("t", "generate_until", "exact_match", metrics.mean, True)
    beside = {**cell(random), "role": "random", "beside": mine}
    cells = [(beside if n == random else cell(n), measured(n)) for n in CELLS]
    rows = {r["cell"]: r for r in TaskSummary(EXPERIMENT, facts, cells).rows()}
    row = rows[mine]
    assert row["over_random"] == pytest.approx(
        RIGHT[mine].mean() - RIGHT[random].mean()
    )
    found = row["over_random_low"], row["over_random_high"]
    expected = theirs(mean_difference, RIGHT[mine], RIGHT[random])
    assert found == pytest.approx(expected, abs=2.2 / DOCUMENTS)

    def apart(one, other, whole, axis=-1):
        return (one.sum(axis) - other.sum(axis)) / whole.sum(axis)

    gap = apart(FROM_LLM[mine], FROM_LLM[random], LENGTHS)
    assert row["share_over_random"] == pytest.approx(gap)
    found = row["share_over_random_low"], row["share_over_random_high"]
    expected = theirs(apart, FROM_LLM[mine], FROM_LLM[random], LENGTHS)
    assert found == pytest.approx(expected, abs=0.01)
    for other in rows.keys() - {mine}:
        assert rows[other]["over_random"] is rows[other]["share_over_random"] is None


def test_where_less_is_better_the_gap_is_the_same(rows) -> None:
    turned = {row["cell"]: row["pgr"] for row in summary(higher=False).rows()}
    assert turned == {name: row["pgr"] for name, row in rows.items()}


def test_other_documents_have_no_difference() -> None:
    found = {r["cell"]: r for r in summary(**{"entropy 0.1": 40}).rows()}
    assert found["entropy 0.1"]["difference"] is None
    assert found["entropy 0.1"]["note"].startswith("other documents than llm-only")
    assert found["entropy 0.1"]["documents"] == 40
    assert found["entropy 0.5"]["difference"] is not None


def test_a_curve_has_the_area_of_scikit_learn() -> None:
    (curve,) = curves(summary(), axes(EXPERIMENT.strategies))
    assert curve["family"] == "entropy"
    assert curve["cells"] == ["entropy 0.5", "entropy 0.1"]
    names = ("slm-only", "entropy 0.5", "entropy 0.1", "llm-only")
    x = [FROM_LLM[n].sum() / LENGTHS.sum() for n in names]
    y = [recovered(RIGHT[n], RIGHT["slm-only"], RIGHT["llm-only"]) for n in names]
    assert curve["apgr"]["value"] == pytest.approx(auc(x, y))
    for level in (0.2, 0.5, 0.8):
        # y rises, so that the inverse is an interpolation
        expected = np.interp(level, y, x)
        assert curve["cpt"][str(level)]["value"] == pytest.approx(expected)


def test_the_interval_of_an_area_is_that_of_its_resamples() -> None:
    (curve,) = curves(summary(), axes(EXPERIMENT.strategies))
    rng, areas = np.random.default_rng(7), []
    for _ in range(1500):
        i = rng.integers(0, DOCUMENTS, DOCUMENTS)
        weak, strong = RIGHT["slm-only"][i].mean(), RIGHT["llm-only"][i].mean()
        middle = ("entropy 0.5", "entropy 0.1")
        x = [FROM_LLM[n][i].sum() / LENGTHS[i].sum() for n in middle]
        y = [(RIGHT[n][i].mean() - weak) / (strong - weak) for n in middle]
        areas.append(auc([0, *x, 1], [0, *y, 1]))
    found = curve["apgr"]["low"], curve["apgr"]["high"]
    assert found == pytest.approx(np.quantile(areas, [0.025, 0.975]), abs=0.015)


def bounds(value: float, values: list[float], aggregate=metrics.mean, confidence=0.95):
    """The interval that a summary gives for a cell with these values."""
    facts = TaskFacts("t", "generate_until", "exact_match", aggregate, True)
    one = replace(measured("llm-only", len(values)), value=value, values=values)
    asked = replace(EXPERIMENT, confidence=confidence)
    (row,) = TaskSummary(asked, facts, [(cell("llm-only"), one)]).rows()
    return row["low"], row["high"]


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize("count", [2, 90])
def test_an_accuracy_at_an_edge_has_wilsons_interval(count, confidence) -> None:
    z = norm.ppf((1 + confidence) / 2)
    reach = z * z / (count + z * z)
    right = bounds(1.0, [1.0] * count, confidence=confidence)
    assert right == pytest.approx((1 - reach, 1))
    wrong = bounds(0.0, [0.0] * count, confidence=confidence)
    assert wrong == pytest.approx((0, reach))


def test_an_edge_is_the_same_in_a_report_of_its_own() -> None:
    for value in (0.0, 1.0):
        values = [value] * 40
        assert bounds(value, values) == pytest.approx(mean(values).ends)


def test_what_is_no_accuracy_at_an_edge_is_resampled() -> None:
    assert bounds(0.5, [0.5] * 9) == (0.5, 0.5)
    assert bounds(1.0, [0.0] * 9, metrics.perplexity) == (1.0, 1.0)
    low, high = bounds(0.5, [0.0, 1.0, 0.0, 1.0])
    assert 0 <= low < 0.5 < high <= 1
    assert bounds(1.0, [1.0]) == (None, None)
    # not what lm_eval reported: its documents do not give the metric
    assert bounds(0.7, [1.0] * 9) == (None, None)


def test_other_metrics_are_worked_out_once_for_each_resample() -> None:
    calls = []

    def slow(items) -> float:
        calls.append(len(items))
        return sum(items) / len(items)

    def told(aggregate) -> tuple[list, list]:
        facts = TaskFacts("t", "generate_until", "exact_match", aggregate, True)
        few = replace(EXPERIMENT, resamples=200)
        cells = [(cell(n), measured(n)) for n in CELLS]
        found = TaskSummary(few, facts, cells)
        return list(found.rows()), curves(found, axes(EXPERIMENT.strategies))

    def numbers(row: dict) -> dict:
        return {name: value for name, value in row.items() if name != "options"}

    (rows, lines), (expected, theirs) = told(slow), told(metrics.mean)
    # 200 resamples of a cell, and all of its documents
    assert len(calls) == len(CELLS) * 201
    for row, other in zip(rows, expected, strict=True):
        assert numbers(row) == pytest.approx(numbers(other))
    (line,), (other,) = lines, theirs
    assert line["apgr"] == pytest.approx(other["apgr"])


def test_the_measures_of_a_curve_share_its_resamples(monkeypatch) -> None:
    made = []

    def told(shares, recovered):
        made.append(shares.shape)
        return pinned(shares, recovered)

    monkeypatch.setattr(curve_module, "pinned", told)
    curves(summary(), axes(EXPERIMENT.strategies))
    # for all four: the resamples, and the documents themselves
    assert made == [(2, 4000), (2,)]
