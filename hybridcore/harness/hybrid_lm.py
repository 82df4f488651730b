"""HybridLM: a small and a large model behind lm_eval's model interface."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lm_eval.api.model import CacheHook
from lm_eval.utils import simple_parse_args_string

from ..discovery import create
from ..dispatch import Dispatcher
from ..scoring import Score
from ..strategy import Strategy
from . import error_line
from .arguments import Arguments, Model, parse, with_flags
from .cache_guard import guard
from .fingerprint import fingerprint
from .generation_call import GenerationCall
from .ledger import Ledger
from .loading import CausalHFLM, described
from .model_info import model_info
from .occurrences import without_padding
from .pair import Pair
from .processes import join
from .recorder import Recorder
from .report import table
from .scoring_call import Encoded, ScoringCall, is_empty, reads_slm, rolling_windows
from .trace import Trace


class HybridLM(CausalHFLM):
    """Answers lm_eval's requests with two models and a strategy between them.

    The LLM is ``HFLM``'s own model, so every argument of ``HFLM`` keeps its meaning;
    :mod:`hybridcore.harness.arguments` lists them all. What is left out here has the
    default written there (``strategy="uncertainty"``, ``device="cuda"``,
    ``dtype="float16"``, ``batch_size=1``; ``threshold`` and ``num_drafts`` are options
    of strategies and have theirs).

    :param slm_model_id: the small model: hub id, folder, or loaded model.
    :param llm_model_id: the large one.
    :param strategy: a name, ``distribution:name``, or an instance.
    :raises HybridLMError: an argument, a model or the strategy cannot be used.
    """

    def __init__(
        self,
        slm_model_id: Model | None = None,
        llm_model_id: Model | None = None,
        strategy: str | Strategy | None = None,
        threshold: float | None = None,
        num_drafts: int | None = None,
        device: str | None = None,
        dtype: str | torch.dtype | None = None,
        batch_size: int | str | None = None,
        **arguments: Any,
    ) -> None:
        given = parse(
            {
                "slm_model_id": slm_model_id,
                "llm_model_id": llm_model_id,
                "strategy": strategy,
                "threshold": threshold,
                "num_drafts": num_drafts,
                "device": device,
                "dtype": dtype,
                "batch_size": batch_size,
                **arguments,
            }
        )
        super().__init__("llm", given.llm, given.llm_loading)
        join(self)
        self._given = given
        self._prints_table = False
        self._asked: Sequence[Any] = ()
        self.pair = Pair(self, _slm_loader(given))
        path = (given.trace, self.rank, self.world_size)
        self._trace = None if given.trace is None else Trace(*path)
        self._adopt(given.strategy)

    def with_strategy(self, strategy: str | Strategy, **options: Any) -> HybridLM:
        """Return a HybridLM with another strategy that shares the loaded models.

        Its counts begin at zero; it has no response cache until lm_eval gives it one.
        """
        other = copy.copy(self)
        other.cache_hook = CacheHook(None)
        other._adopt(create(strategy, options))
        return other
