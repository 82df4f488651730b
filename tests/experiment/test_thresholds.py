"""Thresholds at wanted shares; families found by what strategies do."""

from __future__ import annotations

import pytest
import torch

from hybridcore import Route, Strategy, hookimpl, option
from hybridcore.experiment.family import Family, family_of, signals_of, stateless
from hybridcore.experiment.thresholds import even_thresholds, threshold_at


class Above(Strategy):
    threshold: float = option(0.5)
    temperature: float = option(1.0)


class Below(Strategy):
    floor: float = option(0.3, minimum=0.0, maximum=1.0)


class Steps(Strategy):
    """Asks above a threshold, and at every position beyond a second option."""

    threshold: float = option(0.9)
    width: float = option(0.1)


class Held(Strategy):
    @hookimpl
    def start(self, request):
        return object()


GRID = torch.linspace(0, 1, 101)


def routed(strategy: Strategy):
    options, signal = strategy.options(), GRID
    if isinstance(strategy, Above):
        signal = GRID * options["temperature"]
        return signal, signal > options["threshold"]
    if isinstance(strategy, Below):
        return signal, signal < options["floor"]
    low = options["threshold"]
    return signal, (signal > low) & (signal < low + options["width"])


def test_a_family_is_found_by_what_it_does() -> None:
    family = family_of(Above(), routed)
    assert family == Family(Above, "threshold", (("temperature", 1.0),), True)
    assert family.has(Above(threshold=0.1))
    assert not family.has(Above(threshold=0.1, temperature=2.0))
    assert not family.has(Below())
    assert family_of(Below(), routed) == Family(Below, "floor", (), False)


def test_what_is_more_than_a_threshold_has_no_family() -> None:
    # at its own options it looks like one: only other thresholds show that it is none
    strategy = Steps(threshold=0.9, width=0.2)
    signals, asked = routed(strategy)
    assert torch.equal(asked, signals > 0.9)
    assert family_of(strategy, routed) is None
    assert family_of(Above(), lambda strategy: None) is None


def test_all_strategies_of_a_family_are_looked_at() -> None:
    family = Family(Above, "threshold", (("temperature", 1.0),), True)

    def clamped(strategy: Strategy):
        # below every quantile that is looked at
        return GRID, GRID.gt(max(strategy.threshold, 0.05))

    strategies = [Above(threshold=0.5), Above(threshold=0.01)]
    assert torch.equal(signals_of(family, strategies[:1], clamped), GRID)
    assert signals_of(family, strategies, clamped) is None
    assert torch.equal(signals_of(family, strategies, routed), GRID)


def test_what_keeps_state_cannot_be_recorded() -> None:
    assert not stateless(Held())
    assert stateless(Above())


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.07, 0.5, 0.93])
def test_a_threshold_has_the_wanted_share_or_the_next_below(above, share) -> None:
    family = Family(Above, "threshold", (), above)
    generator = torch.Generator().manual_seed(0)
    signals = 1 - torch.rand(400, generator=generator) * 1e-4
    threshold = threshold_at(family, signals, share)
    found = family.asks(signals, threshold).float().mean().item()
    # float32 holds few numbers there, so that some signals are alike
    alike = signals.unique(return_counts=True)[1].max().item()
    assert share - (alike + 1) / 400 <= found <= share + 1e-6


def test_signals_of_few_values_give_fewer_thresholds() -> None:
    family = Family(Above, "threshold", (), True)
    signals = torch.tensor([0.0] * 50 + [1.0] * 50)
    assert even_thresholds(family, signals, 9) == [1.0, 0.0]
    assert even_thresholds(family, GRID, 2, 0.2) == pytest.approx([0.9, 0.8], abs=0.02)
    assert even_thresholds(family, GRID, 3) == pytest.approx(
        [0.75, 0.5, 0.25], abs=0.01
    )


def test_float32_decides() -> None:
    family = Family(Above, "threshold", (), True)
    signal = torch.tensor([0.1], dtype=torch.float32)
    route = Route.ask_above(signal, 0.1)
    assert bool(family.asks(signal, 0.1)) == bool(route.verdict == Route.ASK)
