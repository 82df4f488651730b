"""Strategies that differ only in a threshold on the same signal.

Whether some do is not taken from their source or their options' names: it is seen in
what ``route_token`` gives at recorded positions, for several thresholds, and again
wherever more is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import OptionError, StrategyError
from ..scoring.induced import ROUTED, kind_of
from ..strategy import Strategy

_PROBED = (0.1, 0.5, 0.9)  # quantiles of the signal

# from a strategy to its signals [N] float32 and whether it asks [N]; None without them
Routed = Callable[[Strategy], "tuple[Tensor, Tensor] | None"]


@dataclass(frozen=True)
class Family:
    """All strategies of a kind that agree in every option but one.

    ``above`` tells whether they ask where the signal is above the threshold, or below.
    """

    kind: type[Strategy]
    option: str
    rest: tuple[tuple[str, Any], ...]
    above: bool

    def has(self, strategy: Strategy) -> bool:
        """Tell whether a strategy is one of them."""
        same = type(strategy) is self.kind
        return same and _rest(strategy, self.option) == self.rest

    def threshold(self, strategy: Strategy) -> float:
        """Return the threshold of one of them."""
        return float(strategy.options()[self.option])

    def asks(self, signals: Tensor, threshold: float) -> Tensor:
        """Return where the LLM is asked: ``[N]`` bool for ``signals [N]`` float32."""
        return signals > threshold if self.above else signals < threshold


def family_of(strategy: Strategy, routed: Routed) -> Family | None:
    """Return the family of a strategy; None where it has none.

    :param routed: routes the recorded positions by a strategy.
    """
    found = routed(strategy) if stateless(strategy) else None
    if found is None or not len(found[0]):
        return None
    for candidate in _candidates(strategy):
        if next(_probes(candidate, found[0]), None) is None:
            continue
        if signals_of(candidate, [strategy], routed) is not None:
            return candidate
    return None


def signals_of(
    family: Family, strategies: Sequence[Strategy], routed: Routed
) -> Tensor | None:
    """Return the signals ``[N]`` of a family, where it is one at these positions.

    None where one of ``strategies``, or another one whose threshold is a quantile of
    the signals, asks elsewhere than the family says.

    :param strategies: some of the family, one or more.
    """
    found = routed(strategies[0])
    if found is None:
        return None
    signals = found[0]
    for strategy in [*strategies, *_probes(family, signals)]:
        again = routed(strategy)
        if again is None or not torch.equal(again[0], signals):
            return None
        if not torch.equal(family.asks(signals, family.threshold(strategy)), again[1]):
            return None
    return signals


def stateless(strategy: Strategy) -> bool:
    """Tell whether a strategy's verdicts follow from the text alone."""
    try:
        return kind_of(strategy) == ROUTED and "slm" in strategy.requires
    except StrategyError:
        return False


def _candidates(strategy: Strategy) -> Iterator[Family]:
    for name, value in strategy.options().items():
        if isinstance(value, float):
            for above in (True, False):
                rest = _rest(strategy, name)
                yield Family(type(strategy), name, rest, above)


def _probes(family: Family, signals: Tensor) -> Iterator[Strategy]:
    """Yield those of a family whose thresholds are quantiles of ``signals``."""
    for quantile in _PROBED:
        threshold = float(signals.quantile(quantile, interpolation="nearest"))
        with suppress(OptionError):
            yield family.kind(**dict(family.rest), **{family.option: threshold})


def _rest(strategy: Strategy, option: str) -> tuple[tuple[str, Any], ...]:
    options = strategy.options()
    return tuple((name, value) for name, value in options.items() if name != option)
