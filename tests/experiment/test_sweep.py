"""``hybridlm sweep``: grids, chosen thresholds, scores replayed from one pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybridcore import HybridLM
from hybridcore.cli import main
from hybridcore.experiment.evaluation import Evaluator
from hybridcore.scoring.reading import read

from .conftest import share

SCORED = ("hybrid_demo_choice", "hybrid_demo_perplexity")
THRESHOLDS = "0.02,0.3,0.9"
ASKED = ["--tasks", ",".join(SCORED), "--limit", "3", "--resamples", "100"]
ASKED += ["--random-points", "2", "--no-report"]


def cells(run: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in run.glob("cells/*/cell.json")}


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def replayed(pair: HybridLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "run"
    line = ["sweep", "--strategy", "uncertainty", "--param", f"threshold={THRESHOLDS}"]
    with pytest.MonkeyPatch.context() as patch:
        share(pair, patch)
        assert main([*line, *ASKED, "--output", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def rerun(
    pair: HybridLM, replayed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same cells, each with both models run for it alone."""
    path = tmp_path_factory.mktemp("compare") / "run"
    names = [f"uncertainty:threshold={value}" for value in THRESHOLDS.split(",")]
    line = ["compare", "--strategies", ",".join(names)]
    with pytest.MonkeyPatch.context() as patch:
        share(pair, patch)
        assert main([*line, *ASKED, "--output", str(path)]) == 0
    return path


def test_a_replay_is_what_a_rerun_gives(replayed: Path, rerun: Path) -> None:
    mine, real = cells(replayed), cells(rerun)
    names = [name for name in mine if name.startswith(("uncertainty", "random"))]
    assert len(names) > 5
    assert set(mine) == set(real)
    for name in names:
        for task in SCORED:
            if not (mine[name] / f"samples_{task}.jsonl").exists():
                continue
            for one, other in zip(
                lines(mine[name] / f"samples_{task}.jsonl"),
                lines(real[name] / f"samples_{task}.jsonl"),
                strict=True,
            ):
                # one pass makes other batches than many: the last digits differ
                assert _numbers(one["resps"]) == pytest.approx(
                    _numbers(other["resps"]), abs=1e-4
                )
                assert one.get("acc") == other.get("acc")
                assert one["doc_hash"] == other["doc_hash"]


def test_a_replay_asks_where_a_rerun_asks(replayed: Path, rerun: Path) -> None:
    mine, real = cells(replayed), cells(rerun)
    for name in mine:
        if not name.startswith(("uncertainty", "random")):
            continue
        one, other = (
            {
                (r["task"], r["doc_id"], json.dumps(r["parts"]))
                for r in lines(c[name] / "trace.jsonl")
            }
            for c in (mine, real)
        )
        assert one == other
        counts = [
            json.loads((c[name] / "results.json").read_text())["config"]["hybrid"][
                "total"
            ]
            for c in (mine, real)
        ]
        for key in ("scored_tokens", "scored_from_llm", "llm_requests_skipped"):
            assert counts[0][key] == counts[1][key]


def test_what_a_replay_did_not_count_it_does_not_report(
    replayed: Path, rerun: Path
) -> None:
    def hybrid(run: Path, name: str) -> dict:
        return json.loads((cells(run)[name] / "results.json").read_text())["config"][
            "hybrid"
        ]

    name = "uncertainty-threshold=0.3"
    assert hybrid(replayed, name)["replayed"] == list(SCORED)
    assert hybrid(replayed, name)["total"]["llm_forwards"] is None
    assert "replayed" not in hybrid(rerun, name)
    assert hybrid(rerun, name)["total"]["llm_forwards"] > 0
    assert hybrid(replayed, "slm-only")["total"]["slm_forwards"] > 0


def test_both_models_read_once(hybridlm, tmp_path: Path, monkeypatch) -> None:
    calls = []

    def counted(model, *arguments):
        calls.append(model)
        return read(model, *arguments)

    monkeypatch.setattr("hybridcore.experiment.recording.read", counted)
    line = [
        "sweep",
        "--param",
        "threshold=0.1:0.9:7",
        "--tasks",
        SCORED[0],
        "--limit",
        "2",
    ]
    code, _, _ = hybridlm(
        *line, "--resamples", "100", "--output", str(tmp_path / "run")
    )
    assert code == 0
    assert len(calls) == 2
    assert len({id(model) for model in calls}) == 2


def test_chosen_thresholds_have_even_shares(hybridlm, tmp_path: Path) -> None:
    run = tmp_path / "run"
    line = ["sweep", "--points", "4", "--tasks", SCORED[1], "--limit", "4"]
    line += ["--resamples", "100", "--random-points", "0", "--output", str(run)]
    code, out, _ = hybridlm(*line, "--json")
    assert code == 0
    rows = json.loads(out)["rows"]
    shares = [row["llm_share"] for row in rows if row["role"] == "candidate"]
    # of the very tokens that the signal was recorded at
    for found, wanted in zip(shares, (0.2, 0.4, 0.6, 0.8), strict=True):
        assert wanted - 3e-3 < found <= wanted
    (curve,) = json.loads(out)["curves"]
    assert curve["family"] == "uncertainty"
    assert len(curve["cells"]) == 4
    chosen = json.loads((run / "thresholds.json").read_text())
    # on the way again they are read, not chosen
    (run / "thresholds.json").write_text(json.dumps({k: [0.5] for k in chosen}))
    _, out, _ = hybridlm(*line, "--json")
    assert [r["cell"] for r in json.loads(out)["rows"]][
        -1
    ] == "uncertainty-threshold=0.5"


def test_chosen_thresholds_of_answers_are_near_even(hybridlm, tmp_path: Path) -> None:
    line = [
        "sweep",
        "--points",
        "2",
        "--tasks",
        "hybrid_demo_generation",
        "--limit",
        "6",
    ]
    line += [
        "--resamples",
        "100",
        "--random-points",
        "0",
        "--output",
        str(tmp_path / "run"),
    ]
    _, out, _ = hybridlm(*line, "--json")
    rows = [row for row in json.loads(out)["rows"] if row["role"] == "candidate"]
    assert [row["llm_share"] for row in rows] == pytest.approx([1 / 3, 2 / 3], abs=0.08)


def test_a_strategy_without_a_threshold_is_refused(hybridlm, tmp_path: Path) -> None:
    line = [
        "sweep",
        "--strategy",
        "speculative",
        "--param",
        "num_drafts",
        "--points",
        "3",
    ]
    line += ["--tasks", SCORED[0], "--limit", "2", "--output", str(tmp_path / "run")]
    code, _, err = hybridlm(*line)
    assert code == 1
    assert "speculative does not ask by comparing a signal with 'num_drafts'" in err
    assert "--param num_drafts=first:last:count" in err


def test_a_grid_of_two_options_has_every_pair(
    hybridlm, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(Evaluator, "run", _write_nothing)
    line = [
        "sweep",
        "--strategy",
        "random",
        "--param",
        "seed=1,2",
        "--param",
        "fraction=0.1:0.3:3",
    ]
    line += ["--output", str(tmp_path / "run"), *ASKED]
    _, out, _ = hybridlm(*line, "--json")
    failed = json.loads(out)["failed"]
    assert [name for name in failed if name.startswith("random")] == [
        f"random seed={seed} fraction={fraction}"
        for seed in (1, 2)
        for fraction in (0.1, 0.2, 0.3)
    ]


def _write_nothing(self, cell, folder, progress):
    (folder / "cell.json").write_text('{"status": "failed"}')
    return "planted"


def _numbers(resps: list) -> list[float]:
    flat = []
    for item in resps:
        flat += _numbers(item) if isinstance(item, list) else [item]
    return [
        float(x) if x not in ("True", "False") else float(x == "True") for x in flat
    ]
