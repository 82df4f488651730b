"""HybridLM: a small and a large model behind lm_eval's model interface."""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from lm_eval.api.model import CacheHook
from lm_eval.utils import simple_parse_args_string

from ..discovery import create
from ..dispatch import Dispatcher
from ..scoring import Score, ScoreRequest
from ..strategy import Strategy
from . import error_line
from .argument_values import switch
from .arguments import (
    Model,
    Scoring,
    missing_slm,
    name_of,
    parse,
    scoring_of,
    why_not_adaptive,
)
from .cache_guard import counted, guard
from .evaluations import Evaluations
from .fingerprint import fingerprint
from .generation_call import GenerationCall
from .given import with_flags
from .ledger import Ledger
from .loading import CausalHFLM
from .model_info import model_info
from .occurrences import without_padding
from .pair import Pair
from .preflight import preflight
from .processes import join, prepare, warn
from .recorder import Recorder
from .report import table
from .scoring_call import Encoded, ScoringCall, is_empty, reads_slm, rolling_windows
from .small_model import SmallModel
from .trace import Trace

logger = logging.getLogger(__name__)

T = TypeVar("T")
# scores known without running the models; None where these are not
Replay = Callable[[list[ScoreRequest]], "Iterator[tuple[int, Score]] | None"]


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
        self._trace = None if given.trace is None else Trace(given.trace)
        self.given = given
        small = None if given.slm is None else SmallModel(self, given)
        self.pair = Pair(self, small, given.cuda_graphs, given.compiles)
        self.scoring: Scoring = given.scoring
        self.adaptive = given.adaptive
        self._asked: Sequence[Any] = ()
        self._prints_table = False
        # whatever can be refused is refused before weights are loaded
        self._adopt(given.strategy, given.strategy_name)
        preflight("llm", given.llm, given.llm_loading)
        preflight("slm", given.slm, given.slm_loading)
        shares_out = given.llm_loading.get("tp_plan") is None
        if shares_out:
            prepare()
        super().__init__("llm", given.llm, given.llm_loading, given.pack)
        if shares_out:
            join(self)
        self._load_slm()

    def with_strategy(
        self,
        strategy: str | Strategy,
        *,
        scoring: Scoring | None = None,
        trace: str | None = None,
        adaptive: bool | str | None = None,
        **options: Any,
    ) -> HybridLM:
        """Return a HybridLM with another strategy that shares the loaded models.

        Its counts begin at zero; lm_eval gives it a response cache of its own.

        :param scoring: as the model argument; as it is here where left out.
        :param trace: as the model argument; as it is here where left out.
        :param adaptive: as the model argument; as it is here where left out.
        """
        other = copy.copy(self)
        if trace is not None:
            other._trace = Trace(trace)
        if scoring is not None:
            other.scoring = scoring_of(scoring)
        if adaptive is not None:
            other.adaptive = switch("adaptive", adaptive)
        other.cache_hook = CacheHook(None)
        other._adopt(create(strategy, options), name_of(strategy))
        other._load_slm()
        return other

    def _adopt(self, strategy: Strategy, name: str) -> None:
        self.strategy = strategy
        self.strategy_name = name
        self.replay: Replay | None = None
        self.in_flight = 0  # requests that are being generated
        self.dispatcher = Dispatcher(strategy)
        self.runs_slm = "slm" in strategy.requires
        self.scores_with_slm = reads_slm(strategy, self.scoring)
        if self._reads_slm and self.pair.small is None:
            raise missing_slm(strategy)
        if self.adaptive and not strategy.adaptable():
            warn(logger, "adaptive=true ignored: %s", why_not_adaptive(strategy))
        self.evaluations = Evaluations(self._trace, name, strategy.options())
        self.batch_sizes: dict[int, int] = {}

    @property
    def _reads_slm(self) -> bool:
        return self.runs_slm or self.scores_with_slm

    def _load_slm(self) -> None:
        if self._reads_slm:
            _ = self.pair.slm

    def _create_tokenizer(self, *args: Any, **kwargs: Any) -> None:
        # HFLM loads the weights after this
        super()._create_tokenizer(*args, **kwargs)
        if self._reads_slm and self.pair.small is not None:
            self.pair.small.compare()

    @property
    def recorder(self) -> Recorder:
        """Where the outcome of every request goes."""
        return self.evaluations.recorder

    @property
    def max_length(self) -> int:
        """The window of generation: the shortest of the models taking part."""
        return self._shortest(self.runs_slm)

    @property
    def scoring_window(self) -> int:
        """The window of scoring: the shortest of the models taking part."""
        return self._shortest(self.scores_with_slm)

    @property
    def seed(self) -> int:
        """Seed of sampling: the argument, or torch's, which lm_eval sets."""
        return torch.initial_seed() if self.given.seed is None else self.given.seed

    def generate_until(
        self, requests: list[Any], disable_tqdm: bool = False
    ) -> list[str]:
        """Answer ``(context, generation arguments)`` requests by the strategy.

        :raises RequestError: a request that cannot be answered, before any is.
        """
        quiet = disable_tqdm or self.rank != 0
        return self._answered(
            "generate_until", requests, lambda r: GenerationCall(self, r).run(quiet)
        )

    def loglikelihood(
        self, requests: list[Any], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Score ``(context, continuation)`` requests; see ``scoring``."""
        return self._answered(
            "loglikelihood", requests, lambda r: self._likelihoods(r, disable_tqdm)
        )

    def loglikelihood_rolling(
        self, requests: list[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Score whole texts, window by window."""
        quiet = disable_tqdm or self.rank != 0
        return self._answered(
            "loglikelihood_rolling", requests, lambda r: self._rolling(r, quiet)
        )

    def _loglikelihood_tokens(
        self,
        requests: list[Encoded],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> list[tuple[float, bool]]:
        def finish(index: int, scores: list[Score]) -> None:
            text, result = requests[index][0], _result(scores[0])
            if text is not None:
                self.cache_hook.add_partial("loglikelihood", text, result)
            self.recorder.scores(asked[index], scores, is_empty(requests[index]))

        asked = self._asked or [None] * len(requests)
        call = ScoringCall(self, [[request] for request in requests], finish)
        quiet = disable_tqdm or self.rank != 0
        return [_result(score) for score in call.run(quiet)]

    def _likelihoods(
        self, requests: list[Any], disable_tqdm: bool
    ) -> list[tuple[float, bool]]:
        # HFLM's own method encodes; what it hands on no longer says whose it is
        self._asked = requests
        try:
            return super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        finally:
            self._asked = ()

    def _rolling(self, requests: list[Any], quiet: bool) -> list[float]:
        def finish(index: int, scores: list[Score]) -> None:
            totals[index] = sum(score.log_likelihood for score in scores)
            text = requests[index].args
            self.cache_hook.add_partial("loglikelihood_rolling", text, totals[index])
            self.recorder.scores(requests[index], scores, empty=False)

        totals = [0.0] * len(requests)
        windows = [rolling_windows(self, request.args[0]) for request in requests]
        ScoringCall(self, windows, finish).run(quiet)
        return totals

    def _answered(
        self, kind: str, requests: list[Any], run: Callable[[list[Any]], list[T]]
    ) -> list[T]:
        if self.evaluations.begin(kind):
            self.batch_sizes = {}
        try:
            split = self.world_size > 1
            answers = without_padding(requests, run) if split else run(requests)
        except BaseException:
            self.pair.forget()
            raise
        # the next call has the memory, and its counts do not depend on this one
        self.pair.release()
        return answers

    def note_batch_size(self, rows: int) -> None:
        """Tell lm_eval, whose results list them, what ``auto`` came to."""
        self.batch_sizes[len(self.batch_sizes)] = rows

    def set_cache_hook(self, cache_hook: CacheHook) -> None:
        """Accept a response cache, if it is this very set-up's.

        lm_eval makes one at the beginning of an evaluation.

        :raises CacheMismatch: another pair, strategy or option set filled it.
        """
        database, kept = cache_hook.dbdict, False
        if database is not None:
            kept = guard(database, fingerprint(self))
            counted(database, self.evaluations.cached_answer)
        self.evaluations.anew(continues=kept)
        super().set_cache_hook(cache_hook)

    def barrier(self) -> None:
        """Wait for all processes, and collect what they have counted so far.

        lm_eval's evaluator calls it in every process after each kind of request,
        also in those whose answers all came from a response cache.
        """
        super().barrier()
        self.evaluations.collect(super().gather_object)

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any] | None:
        """Gather from all processes; lm_eval does so when all requests are answered."""
        self.evaluations.reported()
        gathered: list[Any] | None = super().gather_object(obj, dst)
        return gathered

    def counts(self) -> Ledger:
        """Return what this evaluation counted.

        Among several processes it is the sum as of the last barrier. An evaluation
        ends with its report (:meth:`get_model_info`), or when lm_eval asks again for
        a kind of request that it has asked for.
        """
        return self.evaluations.counts()

    def get_model_info(self) -> dict[str, Any]:
        """Return what ``HFLM`` tells of its model, and under ``hybrid`` the counts."""
        info = model_info(self)
        counts = self.counts()
        if self._prints_table and (counts.tasks or counts.cached):
            print(table(info["hybrid"]), file=sys.stderr)
        self.evaluations.reported()
        return info

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: dict[str, Any] | None = None
    ) -> HybridLM:
        """Create a HybridLM for lm_eval from ``name=value,...``."""
        arguments = simple_parse_args_string(arg_string)
        return cls.create_from_arg_obj(arguments, additional_config)

    @classmethod
    def create_from_arg_obj(
        cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None
    ) -> HybridLM:
        """Create a HybridLM for lm_eval; model arguments win over its flags."""
        error_line.install()
        lm = cls(**with_flags(arg_dict, additional_config or {}))
        lm._prints_table = True
        return lm

    def _shortest(self, with_slm: bool) -> int:
        return min(member.own_window for member in self.pair.members(with_slm))


def _result(score: Score) -> tuple[float, bool]:
    return score.log_likelihood, score.is_greedy
