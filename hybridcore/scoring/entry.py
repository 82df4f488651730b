"""The one function the harness calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from ..dispatch import Dispatcher
from ..errors import ArgumentError, StrategyError
from .hooked import HookedScorer
from .induced import LLM, SCORE, kind_of
from .ledger import Ledger
from .request import Score, ScoreRequest, ScoringModel, check_requests
from .routed import RoutedScorer

Scores = Iterator[tuple[int, Score]]


def score(
    requests: Sequence[ScoreRequest],
    *,
    slm: ScoringModel | None,
    llm: ScoringModel,
    dispatcher: Dispatcher | None = None,
    mode: Literal["llm", "strategy"] = "llm",
    batch_size: int = 1,
    progress: Callable[[int], object] | None = None,
) -> Scores:
    """Yield ``(index, score)`` for every request, as they are finished.

    Everything that can be refused is refused here, before a model runs.

    :param slm: may be None for ``mode="llm"`` and for strategies without it.
    :param dispatcher: the strategy's hooks; needed for ``mode="strategy"``.
    :param batch_size: sequences in one forward.
    :param progress: called with the number of requests just finished.
    :raises RequestError: a request that no model could answer.
    :raises StrategyError: the strategy induces no law that is known.
    :raises ArgumentError: ``mode`` or ``batch_size`` is none.
    """
    if mode not in ("llm", "strategy"):
        raise ArgumentError(
            f"scoring is {mode!r}: expected 'llm' or 'strategy'\nset scoring=llm"
        )
    if batch_size < 1:
        raise ArgumentError(
            f"batch_size is {batch_size!r}: expected a positive number of sequences"
        )
    if mode == "llm":
        scores = _llm(requests, llm, batch_size)
    elif dispatcher is None:
        raise ArgumentError("scoring is 'strategy': expected a strategy, got None")
    else:
        scores = _induced(requests, slm, llm, dispatcher, batch_size)
    return scores if progress is None else _told(scores, progress)


def _llm(
    requests: Sequence[ScoreRequest], llm: ScoringModel, batch_size: int
) -> Scores:
    check_requests(requests, llm.max_length)
    ledger = Ledger(requests, llm.max_length)
    return RoutedScorer(requests, None, llm, None, batch_size, ledger).run()


def _induced(
    requests: Sequence[ScoreRequest],
    slm: ScoringModel | None,
    llm: ScoringModel,
    dispatcher: Dispatcher,
    batch_size: int,
) -> Scores:
    kind = kind_of(dispatcher.strategy)
    if kind == LLM:
        return _llm(requests, llm, batch_size)
    slm = _reader(slm, dispatcher, kind == SCORE)
    models = [llm] if slm is None else [slm, llm]
    window = min(model.max_length for model in models)
    check_requests(requests, window, min(model.vocab_size for model in models))
    ledger = Ledger(requests, window)
    if slm is not None and kind == SCORE:
        return _hooked(requests, slm, llm, dispatcher, batch_size, ledger)
    return RoutedScorer(requests, slm, llm, dispatcher, batch_size, ledger).run()


def _reader(
    slm: ScoringModel | None, dispatcher: Dispatcher, scored: bool
) -> ScoringModel | None:
    """Return the SLM if the strategy reads it; raise where it is not there."""
    strategy = dispatcher.strategy
    if not scored and "slm" not in strategy.requires:
        return None
    name = type(strategy).__name__
    if slm is None:
        raise StrategyError(
            f"strategy {name} scores with both models: expected an SLM, got None\n"
            "set slm=..., or use scoring=llm"
        )
    if not scored and "slm_hidden" in strategy.requires and slm.forward_hidden is None:
        raise StrategyError(
            f"strategy {name} reads the SLM's hidden states: expected a model that "
            "gives them, got one that does not\nuse scoring=llm"
        )
    return slm


def _hooked(
    requests: Sequence[ScoreRequest],
    slm: ScoringModel,
    llm: ScoringModel,
    dispatcher: Dispatcher,
    batch_size: int,
    ledger: Ledger,
) -> Scores:
    hooked = HookedScorer(requests, slm, llm, dispatcher, batch_size, ledger)
    yield from hooked.run()
    if not hooked.declined:
        return
    if kind_of(dispatcher.strategy, ignore_score=True) == LLM:
        rest = RoutedScorer(requests, None, llm, None, batch_size, ledger)
    else:
        derived = _reader(slm, dispatcher, scored=False)
        rest = RoutedScorer(requests, derived, llm, dispatcher, batch_size, ledger)
    yield from rest.run()


def _told(scores: Scores, progress: Callable[[int], object]) -> Scores:
    for item in scores:
        progress(1)
        yield item
