"""Runs one cell through lm_eval and writes what came of it."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.evaluator_utils import get_sample_size

from ..errors import HybridLMError
from ..harness.hybrid_lm import HybridLM
from .cell import Cell
from .experiment import Experiment
from .oracle import Oracle
from .plain_json import dumped, write_samples
from .progress import ExperimentProgress
from .replaying import Replaying, Used, without_unread
from .tasks import task_facts, task_manager

# lm_eval's own standard errors; the intervals of a summary are made elsewhere
_BOOTSTRAPS = 100


class Evaluator:
    """Evaluates cells of one experiment with models that are loaded once.

    :param documents: of each task, ascending; None means the first ``limit``.
    :raises HybridLMError: a task cannot be had.
    """

    def __init__(
        self,
        experiment: Experiment,
        documents: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._experiment = experiment
        self._documents = documents
        self.manager = task_manager(experiment.tasks, experiment.include_path)
        self.tasks = task_facts(self.manager, experiment.tasks, experiment.metric)
        self._lm: HybridLM | None = None
        self._replaying: Replaying | None = None

    def run(self, cell: Cell, folder: Path, progress: ExperimentProgress) -> str | None:
        """Fill the folder of a cell; return why it failed, None where it did not."""
        error = None
        try:
            self._evaluate(cell, folder, progress)
        except Exception as failure:  # a strategy's own code may raise anything
            error = _said(failure)
            text = "".join(traceback.format_exception(failure))
            (folder / "traceback.txt").write_text(text, encoding="utf-8")
        write_cell(cell, folder, error)
        return error

    def replaying(self) -> Replaying:
        """Return what scores without running the models, made when first needed."""
        if self._replaying is None:
            self._replaying = Replaying(self._model(), self._experiment, self.tasks)
        return self._replaying

    def count(self, task: str) -> int:
        """Return how many documents of a task the experiment asks for."""
        loaded = self.manager.load([task])["tasks"][task]
        limit = get_sample_size(loaded, self._experiment.limit)
        return min(len(loaded.eval_docs), limit or len(loaded.eval_docs))

    def asked(self, task: str, lm: HybridLM) -> list[Any]:
        """Return lm_eval's requests of a task, as ``lm`` wants its chats."""
        asked = self._experiment
        loaded = self.manager.load([task])["tasks"][task]
        if asked.num_fewshot is not None and loaded.get_config("num_fewshot") != 0:
            loaded.set_config(key="num_fewshot", value=asked.num_fewshot)
        if asked.gen_kwargs:
            kwargs = dict(asked.gen_kwargs)
            loaded.set_config(key="generation_kwargs", value=kwargs, update=True)
        loaded.set_fewshot_seed(seed=asked.seed)
        limit = get_sample_size(loaded, asked.limit)
        loaded.build_all_requests(
            limit=limit,
            rank=0,
            world_size=1,
            apply_chat_template=asked.apply_chat_template,
            chat_template=lm.apply_chat_template,
            tokenizer_name=lm.tokenizer_name,
        )
        return list(loaded.instances)

    def on(self, documents: Mapping[str, Sequence[int]]) -> Evaluator:
        """Return one for other documents that shares the models."""
        other = copy.copy(self)
        other._documents = documents
        other._lm = self._model()
        return other

    def _evaluate(self, cell: Cell, folder: Path, progress: ExperimentProgress) -> None:
        asked = self._experiment
        lm = self._prepared(cell, folder)
        progress.watch(lm, cell.label)
        results = simple_evaluate(
            model=lm,
            tasks=list(cell.tasks or asked.tasks),
            task_manager=self.manager,
            num_fewshot=asked.num_fewshot,
            limit=asked.limit if self._documents is None else None,
            samples=self._documents,
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
        self._write(dict(results), cell, lm, folder)

    def _prepared(self, cell: Cell, folder: Path) -> HybridLM:
        scores = any(self.tasks[name].scores for name in cell.tasks or self.tasks)
        lm = self._model().with_strategy(
            Oracle() if cell.role == "oracle" else cell.strategy,
            # a strategy without a known law can still generate
            scoring=None if scores else "llm",
            trace=str(folder / "trace.jsonl"),
            **cell.options,
        )
        if scores and lm.scores_with_slm:
            lm.replay = self.replaying().of(cell, lm.strategy)
        return lm

    def _write(
        self, results: dict[str, Any], cell: Cell, lm: HybridLM, folder: Path
    ) -> None:
        for task, samples in results.pop("samples").items():
            write_samples(folder / f"samples_{task}.jsonl", samples)
        results["config"]["model_args"] = {
            **self._experiment.pair,
            "strategy": cell.strategy,
            **cell.options,
        }
        if isinstance(lm.replay, Used) and lm.replay.knew:
            without_unread(results["config"]["hybrid"], self.tasks)
        (folder / "results.json").write_text(dumped(results), encoding="utf-8")

    def _model(self) -> HybridLM:
        if self._lm is None:
            self._lm = HybridLM(
                **{"scoring": "strategy", **self._experiment.pair}, strategy="llm-only"
            )
        return self._lm


def _said(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    ours = isinstance(error, HybridLMError)
    return text if ours else f"{type(error).__name__}: {text}"


def write_cell(cell: Cell, folder: Path, error: str | None) -> None:
    """Write ``cell.json``: what ran, and why it failed."""
    status = {"status": "failed" if error else "done", "error": error}
    (folder / "cell.json").write_text(dumped(cell.as_dict() | status), "utf-8")
