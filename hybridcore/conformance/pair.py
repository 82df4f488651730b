"""A pair of tables, and the engine on it: decoding that can be computed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..decoding.engine import Engine
from ..decoding.randomness import row_seed
from ..decoding.reading import SharedVocabulary
from ..decoding.request import Answer, GenerationRequest, StepLaw
from ..decoding.step_law import WarpLaw
from ..dispatch import Dispatcher
from ..models.runner import Feed
from .rows import HIDDEN
from .table import TableRunner

GREEDY = WarpLaw(0.0)


class NoProgress(Exception):
    """A model was asked far more often than there were tokens to make."""


class WatchedTable(TableRunner):
    """A table that gives up after ``limit`` forwards."""

    limit = 10**9

    def forward(self, feeds: Sequence[Feed]) -> Tensor:
        """Look up; see :class:`TableRunner`."""
        if self.forwards >= self.limit:
            raise NoProgress(f"{self.limit} forwards, and the rows have not ended")
        return super().forward(feeds)


class TablePair:
    """Two tables over the same tokens; ``q`` is the SLM's, ``p`` the LLM's.

    :param q, p: ``[V, V]`` raw logits.

    Attributes:
        slm, llm: the runners of the last run, with their counts.
    """

    slm: WatchedTable
    llm: WatchedTable

    def __init__(self, q: Tensor, p: Tensor) -> None:
        self.q, self.p = q, p
        generator = torch.Generator().manual_seed(1)
        self.hidden = torch.randn(len(q), HIDDEN, generator=generator)

    @classmethod
    def random(cls, size: int, seed: int = 0, spread: float = 1.5) -> TablePair:
        """Return a pair of unrelated random tables."""
        generator = torch.Generator().manual_seed(seed)
        q, p = torch.randn(2, size, size, generator=generator) * spread
        return cls(q, p)

    def run(
        self,
        dispatcher: Dispatcher,
        prompts: Sequence[Sequence[int]],
        tokens: int | Sequence[int],
        *,
        law: StepLaw = GREEDY,
        batch: int = 8,
        keys: Sequence[int] | None = None,
        eos: Sequence[int] = (),
        stops: Sequence[str] = (),
        decode: Callable[[Sequence[int]], str] | None = None,
        generation_kwargs: Mapping[str, Any] | None = None,
    ) -> list[Answer]:
        """Return the answers in the order of ``prompts``.

        :param tokens: the budget of every answer, or one for each.
        :param keys: what tells rows with equal prompts apart; rows with the same key
            draw the same random numbers.
        :raises NoProgress: the models run on without an end.
        """
        budgets = [tokens] * len(prompts) if isinstance(tokens, int) else tokens
        keys = range(len(prompts)) if keys is None else keys
        self._make_runners(batch, len(prompts) * (max(budgets) + 2) * 4)
        size = len(self.p)
        vocabulary = SharedVocabulary(size, size)
        engine = Engine(self.slm, self.llm, dispatcher, vocabulary, batch)
        requests = [
            GenerationRequest(
                prompt,
                budget,
                law,
                law,
                eos=frozenset(eos),
                stops=tuple(stops),
                decode=decode,
                seed=row_seed(0, prompt, key),
                generation_kwargs=generation_kwargs or {},
                key=i,
            )
            for i, (prompt, budget, key) in enumerate(
                zip(prompts, budgets, keys, strict=True)
            )
        ]
        return sorted(engine.run(requests), key=lambda answer: answer.request.key)

    def _make_runners(self, slots: int, limit: int) -> None:
        self.slm = WatchedTable(self.q, slots, hidden=self.hidden)
        self.llm = WatchedTable(self.p, slots, parameters=5)
        self.slm.limit = self.llm.limit = limit

    def alone(
        self, table: Tensor, prompts: Sequence[Sequence[int]], tokens: int
    ) -> list[tuple[int, ...]]:
        """Return the greedy texts of one model, by a plain loop over its table."""
        best = table.argmax(-1).tolist()
        texts = []
        for prompt in prompts:
            text = [prompt[-1]]
            for _ in range(tokens):
                text.append(best[text[-1]])
            texts.append(tuple(text[1:]))
        return texts
