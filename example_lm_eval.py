"""HybridLM with lm_eval in Python: one strategy, several, and many thresholds.

    python example_lm_eval.py
    python example_lm_eval.py --slm Qwen/Qwen3-0.6B --llm Qwen/Qwen3-8B \\
        --task gsm8k --limit 100 --batch-size 16

Without arguments it runs on the embedded pair: no download, about a minute on a CPU.
For more than a look (intervals, resumed runs, a page with every token) there are
``hybridlm compare``, ``sweep`` and ``report``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from hybridcore import HybridLM
from hybridcore.demo import tasks_path

STRATEGIES: dict[str, dict[str, Any]] = {
    "slm-only": {},
    "llm-only": {},
    "uncertainty": {"threshold": 0.1},
    "entropy": {"threshold": 0.5},
    "speculative": {"num_drafts": 4},
}
THRESHOLDS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.005, 0.001)


@dataclass(frozen=True)
class Result:
    """What one evaluation came to; ``llm_share`` counts tokens."""

    name: str
    metric: str
    value: float
    llm_share: float
    tokens_per_s: float


class Example:
    """One pair on one task; the models are loaded once."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.task = arguments.task
        self.limit = arguments.limit
        on_demo = self.task.startswith("hybrid_demo")
        self.manager = TaskManager(
            include_path=str(tasks_path()), include_defaults=not on_demo
        )
        self.lm = HybridLM(
            slm=arguments.slm,
            llm=arguments.llm,
            strategy="llm-only",
            # multiple choice and perplexity are scored by the strategy's own law
            scoring="strategy",
            batch_size=arguments.batch_size,
        )

    def evaluate(self, strategy: str, **options: Any) -> Result:
        """Run lm_eval with one strategy and read its results."""
        results = simple_evaluate(
            model=self.lm.with_strategy(strategy, **options),
            tasks=[self.task],
            task_manager=self.manager,
            limit=self.limit,
            bootstrap_iters=0,
        )
        metric, value = first_metric(results["results"][self.task])
        counts = results["config"]["hybrid"]["tasks"][self.task]
        by_llm = counts["tokens_from_llm"] + counts["scored_from_llm"]
        tokens = counts["tokens_out"] + counts["scored_tokens"]
        speed = results["config"]["hybrid"]["total"]["tokens_per_s"] or 0.0
        words = [strategy, *(f"{name}={option}" for name, option in options.items())]
        return Result(" ".join(words), metric, value, by_llm / tokens, speed)


def first_metric(results: dict[str, Any]) -> tuple[str, float]:
    """Return name and value of the first metric that lm_eval reports."""
    return next(
        (name, value)
        for name, value in results.items()
        if "," in name and "_stderr" not in name
    )


def table(results: list[Result]) -> str:
    """Return results as aligned text."""
    lines = [
        f"{'strategy':32} {results[0].metric:>20} {'LLM share':>10} {'tokens/s':>9}"
    ]
    lines += [
        f"{r.name:32} {r.value:20.3f} {100 * r.llm_share:8.1f} % {r.tokens_per_s:9.0f}"
        for r in results
    ]
    return "\n".join(lines)


def draw(swept: list[Result], compared: list[Result], path: Path) -> bool:
    """Draw value against LLM share; return False where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    axes = (figure := Figure(figsize=(6, 4), layout="constrained")).subplots()
    ends = [r for r in compared if r.name in ("slm-only", "llm-only")]
    curve = sorted([*swept, *ends], key=lambda r: r.llm_share)
    axes.plot([r.llm_share for r in curve], [r.value for r in curve], ".-", color="0.6")
    for result, marker in zip(compared, "vsDo^<>Pp*", strict=False):
        axes.plot(result.llm_share, result.value, marker, label=result.name, ls="")
    axes.legend(loc="lower right")
    axes.set(xlabel="share of tokens from the LLM", ylabel=swept[0].metric)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    return True


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--slm", default="demo-slm")
    parser.add_argument("--llm", default="demo-llm")
    parser.add_argument("--task", default="hybrid_demo_generation")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--batch-size", default=16)
    parser.add_argument("--picture", type=Path, default=Path("example_lm_eval.png"))
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run the three parts and print what each found."""
    arguments = parsed(argv)
    example = Example(arguments)

    print("\n1. One strategy\n")
    print(table([example.evaluate("uncertainty", threshold=0.1)]))

    print("\n2. Several strategies on the same documents\n")
    compared = [
        example.evaluate(name, **options) for name, options in STRATEGIES.items()
    ]
    print(table(compared))

    print("\n3. How much the threshold matters\n")
    swept = [example.evaluate("uncertainty", threshold=t) for t in THRESHOLDS]
    print(table(swept))

    if draw(swept, compared, arguments.picture):
        print(f"\nPicture: {arguments.picture}")
    else:
        print("\nNo picture: matplotlib is not installed (pip install matplotlib)")


if __name__ == "__main__":
    main()
