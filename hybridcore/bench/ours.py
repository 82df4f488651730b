"""Our side: HybridLM with a strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..harness.hybrid_lm import HybridLM
from ..strategy import Strategy
from ..tally import Tally
from .side import LocalSide
from .workload import GENERATION, Workload


class Ours(LocalSide):
    """HybridLM, its counts at zero and its caches empty at each pass.

    :param base: holds the loaded models, which all sides made from it share.
    :param strategy: a name or an instance.
    """

    def __init__(
        self,
        base: HybridLM,
        strategy: str | Strategy,
        batch_size: int,
        name: str = "",
        **options: Any,
    ) -> None:
        self.base = base
        self.strategy = strategy
        self.options = options
        self.batch_size = batch_size
        self.name = name or f"ours, {strategy}"
        self.device = torch.device(base.device)
        self.lm = self._fresh()
        self._calls: dict[str, int] = {}

    def models(self) -> Mapping[str, torch.nn.Module]:
        """Return the models that the strategy reads."""
        members = self.lm.pair.members(self.lm.runs_slm)
        return dict(zip(("llm", "slm"), (m.model for m in members[::-1]), strict=False))

    def forget(self, workload: Workload) -> None:
        """Drop all keys; make empty runners again, which probes the models."""
        self.lm = self._fresh()
        pair = self.base.pair
        pair.forget()
        if workload.kind in GENERATION:
            for role in self.models():
                pair.runner("slm" if role == "slm" else "llm", self._rows())
        else:
            for member in pair.members(self.lm.scores_with_slm):
                pair.tree(member)
        self._calls = self._forwards()

    def answer(self, workload: Workload) -> list[Any]:
        """Ask HybridLM as lm_eval does."""
        method = getattr(self.lm, workload.kind)
        answers: list[Any] = method(list(workload.requests), disable_tqdm=True)
        return answers

    def counts(self) -> Mapping[str, Any]:
        """Return the tally; with ``slm_calls`` and ``llm_calls``, batches as one."""
        total = Tally.total(self.lm.counts().tasks.values()).as_dict()
        calls = {
            f"{role}_calls": count - self._calls.get(role, 0)
            for role, count in self._forwards().items()
        }
        return total | calls

    def _rows(self) -> int:
        return self.batch_size or 1

    def _fresh(self) -> HybridLM:
        lm = self.base.with_strategy(self.strategy, **self.options)
        lm.batch_size_per_gpu = self._rows()
        return lm

    def _forwards(self) -> dict[str, int]:
        return {r: runner.forwards for r, runner in self.base.pair.runners().items()}
