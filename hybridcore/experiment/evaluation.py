"""Runs one cell through lm_eval and writes what came of it."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate

from ..errors import HybridLMError
from ..harness.hybrid_lm import HybridLM
from .cell import Cell
from .experiment import Experiment
from .fresh import forget_texts
from .plain_json import dumped, write_samples
from .progress import ExperimentProgress
from .tasks import task_facts, task_manager

logger = logging.getLogger(__name__)

# lm_eval's own standard errors; the intervals of a summary are made elsewhere
_BOOTSTRAPS = 100


class Evaluator:
    """Evaluates cells of one experiment with models that are loaded once."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self.manager = task_manager(experiment.tasks, experiment.include_path)
        self.tasks = task_facts(self.manager, experiment.tasks, experiment.metric)
        self._lm: HybridLM | None = None

    def run(self, cell: Cell, folder: Path, progress: ExperimentProgress) -> str | None:
        """Fill the folder of a cell; return why it failed, None where it did not."""
        error = None
        try:
            self._evaluate(cell, folder, progress)
        except Exception as failure:  # a strategy's own code may raise anything
            error = _said(failure)
            text = "".join(traceback.format_exception(failure))
            (folder / "traceback.txt").write_text(text, encoding="utf-8")
        status = {"status": "failed" if error else "done", "error": error}
        (folder / "cell.json").write_text(dumped(cell.as_dict() | status), "utf-8")
        return error

    def _evaluate(self, cell: Cell, folder: Path, progress: ExperimentProgress) -> None:
        asked = self._experiment
        lm = self._model().with_strategy(
            cell.strategy,
            # a strategy without a known law can still generate
            scoring=None if self._scores(cell) else "llm",
            trace=str(folder / "trace.jsonl"),
            **cell.options,
        )
        forget_texts(lm.pair)
        progress.watch(lm, cell.label)
        results = simple_evaluate(
            model=lm,
            tasks=list(cell.tasks or asked.tasks),
            task_manager=self.manager,
            num_fewshot=asked.num_fewshot,
            limit=asked.limit,
            gen_kwargs=dict(asked.gen_kwargs) or None,
            apply_chat_template=asked.apply_chat_template,
            bootstrap_iters=_BOOTSTRAPS,
            random_seed=asked.seed,
            numpy_random_seed=asked.seed,
            torch_random_seed=asked.seed,
            fewshot_random_seed=asked.seed,
        )
        lm.recorder.close()
        assert results is not None
        self._write(dict(results), cell, folder)

    def _write(self, results: dict[str, Any], cell: Cell, folder: Path) -> None:
        for task, samples in results.pop("samples").items():
            write_samples(folder / f"samples_{task}.jsonl", samples)
        results["config"]["model_args"] = {
            **self._experiment.pair,
            "strategy": cell.strategy,
            **cell.options,
        }
        (folder / "results.json").write_text(dumped(results), encoding="utf-8")

    def _scores(self, cell: Cell) -> bool:
        return any(self.tasks[name].scores for name in cell.tasks or self.tasks)

    def _model(self) -> HybridLM:
        if self._lm is None:
            self._lm = HybridLM(
                **{"scoring": "strategy", **self._experiment.pair}, strategy="llm-only"
            )
        return self._lm


def _said(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return (
        text if isinstance(error, HybridLMError) else f"{type(error).__name__}: {text}"
    )
