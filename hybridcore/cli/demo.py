"""``hybridlm demo``: five strategies on the embedded pair, each through lm_eval.

Every row of the table is one run of ``python -m lm_eval`` as a user would type it; the
numbers are read from its results file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..demo import tasks_path
from ..errors import HybridLMError

TASKS = ("hybrid_demo_generation", "hybrid_demo_choice")
ROWS = {
    "slm only": "slm-only",
    "llm only": "llm-only",
    "uncertainty": "uncertainty,threshold=0.05",
    "entropy": "entropy,threshold=0.3",
    "speculative": "speculative,num_drafts=4",
}
HEADER = (
    "strategy",
    "generation acc",
    "choice acc",
    "LLM tokens",
    "LLM forwards",
    "tokens/s",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--limit`` and ``--json``."""
    parser.add_argument("--limit", type=int, help="documents of each task")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Print the table; the exit code is 1 where a run failed."""
    rows: list[dict[str, Any]] = []
    with tqdm(ROWS.items(), disable=None) as bar:
        for name, strategy in bar:
            bar.set_description(f"lm_eval --model hybrid, {name}")
            rows.append({"strategy": name, **_evaluate(strategy, arguments.limit)})
    print(json.dumps(rows, indent=2) if arguments.json else "\n" + table(rows))
    return 0


def command(strategy: str, output: Path, limit: int | None) -> list[str]:
    """Return the lm_eval command line of one row."""
    pair = "slm=demo-slm,llm=demo-llm,device=cpu,dtype=float32,scoring=strategy"
    line = [sys.executable, "-m", "lm_eval", "run", "--model", "hybrid"]
    line += ["--model_args", f"{pair},strategy={strategy}", "--batch_size", "16"]
    line += ["--include_path", str(tasks_path()), "--tasks", ",".join(TASKS)]
    line += ["--output_path", str(output)]
    return line if limit is None else [*line, "--limit", str(limit)]


def _evaluate(strategy: str, limit: int | None) -> dict[str, Any]:
    # one thread: the pair is too small to share a step between cores
    environment = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **os.environ}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command(strategy, Path(folder), limit),
            env=environment,
            capture_output=True,
            text=True,
        )
        files = sorted(Path(folder).rglob("results*.json"))
        if done.returncode or not files:
            raise HybridLMError(
                f"lm_eval failed for strategy={strategy!r}, exit code "
                f"{done.returncode}\n{done.stderr[-2000:]}"
            )
        return _measured(json.loads(files[-1].read_text(encoding="utf-8")))


def _measured(results: dict[str, Any]) -> dict[str, Any]:
    generation, choice = (results["results"][task] for task in TASKS)
    hybrid = results["config"]["hybrid"]
    counts = hybrid["tasks"][TASKS[0]]
    return {
        "generation_accuracy": generation["exact_match,answer"],
        "choice_accuracy": choice["acc,none"],
        "llm_token_fraction": counts["llm_token_fraction"],
        "llm_forwards": counts["llm_forwards"],
        "tokens_per_s": hybrid["total"]["tokens_per_s"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table, with a line on what the columns are."""
    cells = [
        (
            row["strategy"],
            f"{100 * row['generation_accuracy']:.1f} %",
            f"{100 * row['choice_accuracy']:.1f} %",
            f"{100 * row['llm_token_fraction']:.1f} %",
            f"{row['llm_forwards']:,}",
            f"{row['tokens_per_s']:,.0f}",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(HEADER, *cells, strict=True)]
    lines = [_line(HEADER, widths), _line(["-" * w for w in widths], widths)]
    lines += [_line(row, widths) for row in cells]
    return "\n".join([*lines, "", _LEGEND])


_LEGEND = (
    "generation acc: exact match of the number reached, greedy; choice acc: four\n"
    "choices, scored by the strategy's own law; LLM tokens, LLM forwards (summed\n"
    "over rows) and tokens/s: of the generation task, as counted in the run."
)


def _line(cells: Any, widths: list[int]) -> str:
    padded = (c.ljust(w) for c, w in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
