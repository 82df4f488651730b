"""One call of ``loglikelihood`` or ``loglikelihood_rolling``, on token ids."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from ..scoring import Score, ScoreRequest, ScoringModel, score
from ..scoring.induced import LLM, SCORE, kind_of
from ..strategy import Strategy
from .batch_size import rows_scored
from .processes import warn
from .scoring_model import scoring_model

if TYPE_CHECKING:
    from .arguments import Scoring
    from .hybrid_lm import HybridLM

logger = logging.getLogger(__name__)

Encoded = tuple[Any, list[int], list[int]]
Finish = Callable[[int, list[Score]], None]


def reads_slm(strategy: Strategy, scoring: Scoring) -> bool:
    """Tell whether scores depend on the small model.

    :raises StrategyError: the strategy induces no law that is known.
    """
    if scoring == "llm":
        return False
    kind = kind_of(strategy)
    return kind != LLM and (kind == SCORE or "slm" in strategy.requires)


class ScoringCall:
    """Texts to score, each in one part or, where it is long, in several.

    :param texts: for each text its parts: (strings or None, context ids,
        continuation ids), as ``HFLM._loglikelihood_tokens`` takes them.
    :param finish: told the index of a text and its parts' scores when it is ready.
    """

    def __init__(
        self, lm: HybridLM, texts: Sequence[Sequence[Encoded]], finish: Finish
    ) -> None:
        self._lm = lm
        self._texts = texts
        self._finish = finish
        self._parts = [part for text in texts for part in text]
        self._owners = [i for i, text in enumerate(texts) for _ in text]

    def run(self, quiet: bool) -> list[Score]:
        """Return the scores of all parts in order."""
        self._warn()
        self._lm.pair.release()  # nothing that scores reads the keys of generation
        done: dict[int, Score] = {}
        left = [len(text) for text in self._texts]
        starts = _starts(left)
        bar = tqdm(
            total=len(self._parts),
            desc="Running loglikelihood requests",
            disable=quiet,
        )
        for owner in (i for i, text in enumerate(self._texts) if not text):
            self._finish(owner, [])
        models = self._models()  # loading and probing are off the clock
        with bar, self._lm.recorder.ledger.timed("scoring_s"):
            for index, answer in self._scores(models, bar):
                done[index] = answer
                owner = self._owners[index]
                left[owner] -= 1
                if not left[owner]:
                    parts = range(starts[owner], starts[owner + 1])
                    self._finish(owner, [done[i] for i in parts])
        return [done[i] for i in range(len(self._parts))]

    def _models(self) -> list[ScoringModel]:
        if not self._parts:
            return []
        pair, readers = self._lm.pair, self._lm.recorder.readers
        members = pair.members(self._lm.scores_with_slm)
        roles = ("slm", "llm")[-len(members) :]
        return [
            scoring_model(member, pair.tree(member), readers[role])
            for role, member in zip(roles, members, strict=True)
        ]

    def _scores(self, models: Sequence[ScoringModel], bar: Any) -> Any:
        lm = self._lm
        if not self._parts:
            return ()
        requests = [ScoreRequest(tuple(c), tuple(t)) for _, c, t in self._parts]
        if lm.replay is not None and (scores := lm.replay(requests)) is not None:
            return scores
        return score(
            requests,
            slm=models[0] if lm.scores_with_slm else None,
            llm=models[-1],
            dispatcher=lm.dispatcher,
            mode=lm.scoring,
            batch_size=self._rows(),
            progress=bar.update,
        )

    def _rows(self) -> int:
        lm = self._lm
        if lm.batch_size != "auto":
            return int(lm.batch_size)
        longest = max(len(c) + len(t) for _, c, t in self._parts)
        models = [member.model for member in lm.pair.members(lm.scores_with_slm)]
        limit = min(lm.max_batch_size or 64, len(self._parts))
        rows = rows_scored(models, min(longest, lm.scoring_window), limit)
        lm.note_batch_size(rows)
        return rows

    def _warn(self) -> None:
        window = self._lm.scoring_window
        if cut := sum(len(c) + len(t) > window + 1 for _, c, t in self._parts):
            warn(
                logger,
                "%d contexts are longer than the window of %d tokens: cut at the left",
                cut,
                window,
            )
        if empty := sum(is_empty(part) for part in self._parts):
            warn(logger, "%d contexts are empty: scored from the prefix token", empty)


def is_empty(part: Encoded) -> bool:
    """Tell whether a request has no context of its own."""
    return part[0] is not None and part[0][0] == ""


def rolling_windows(lm: HybridLM, text: str) -> list[Encoded]:
    """Cut a text into disjoint windows, each token scored once, as ``HFLM`` does."""
    windows = get_rolling_token_windows(
        token_list=lm.tok_encode(text),
        prefix_token=lm.prefix_token_id,
        max_seq_len=lm.scoring_window,
        context_len=1,
    )
    return [(None, *make_disjoint_window(window)) for window in windows]


def _starts(sizes: Sequence[int]) -> list[int]:
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    return starts
