"""A recording knows again on every page whether strategies differ in a threshold."""

from __future__ import annotations

import pytest
import torch

from hybridcore import HybridLM, Route, Strategy, hookimpl, option
from hybridcore.experiment.recording import Recording
from hybridcore.scoring import ScoreRequest
from hybridcore.scoring.routing import Router
from hybridcore.signals import least_confidence

IDS = tuple(range(20, 60))
SHORT = [ScoreRequest(IDS[:4], IDS[4:20])]
LONG = [ScoreRequest(IDS[:30], IDS[30:])]
OTHER = [ScoreRequest(IDS[5:9], IDS[9:20])]
CAP = 30  # tokens


class Capped(Strategy):
    """Asks above a threshold, but never far into a text."""

    threshold: float = option(0.5)

    @hookimpl
    def route_token(self, step):
        signal = least_confidence(step.logits)
        early = [len(step.tokens(i)) < CAP for i in range(len(step))]
        asks = (signal > self.threshold) & torch.tensor(early)
        return Route(asks.to(torch.int8) * Route.ASK, signal)


class Clamped(Strategy):
    """Asks above a threshold, or above the least of all that it will ever ask at."""

    threshold: float = option(0.5)
    least: float = option(0.0)

    @hookimpl
    def route_token(self, step):
        signal = least_confidence(step.logits)
        return Route.ask_above(signal, max(self.threshold, self.least))


def signals_at(pair: HybridLM, requests) -> torch.Tensor:
    _, signals = Recording(pair, [Clamped()]).signals(requests, Clamped())
    return signals


# at 2 nothing is asked anywhere, so that this setting alone shows no cap
@pytest.mark.parametrize("known", [[2.0, 0.0], [2.0]])
def test_what_a_later_page_shows_is_seen(pair: HybridLM, known) -> None:
    strategies = [Capped(threshold=threshold) for threshold in known]
    recording = Recording(pair, strategies)
    replay = recording.replay(Capped(threshold=known[-1]))
    assert len(list(replay(SHORT))) == 1
    assert replay(LONG) is None
    # from here on neither what was read before, nor what no cap reaches
    assert replay(SHORT) is None
    assert replay(OTHER) is None
    assert recording.signals(SHORT, Capped()) is None


def test_every_setting_that_will_be_replayed_is_compared(pair: HybridLM) -> None:
    # clamped between the two least signals: no quantile of the signals is
    first, second = signals_at(pair, SHORT).sort().values[:2].tolist()
    least = (first + second) / 2
    low = Clamped(threshold=first / 2, least=least)
    high = Clamped(threshold=second, least=least)
    assert Recording(pair, [high]).replay(high)(SHORT) is not None
    assert Recording(pair, [high, low]).replay(high)(SHORT) is None


def test_a_threshold_is_replayed_as_it_scores(pair: HybridLM) -> None:
    low, high = Clamped(threshold=0.1), Clamped(threshold=0.8)
    recording = Recording(pair, [low, high])
    for strategy in (low, high):
        scores = dict(recording.replay(strategy)([*SHORT, *LONG]))
        signals = signals_at(pair, [*SHORT, *LONG])
        asked = [flag for i in (0, 1) for flag in scores[i].from_llm]
        assert asked == (signals > strategy.threshold).tolist()


def test_equal_strategies_are_asked_once_a_page(pair: HybridLM, monkeypatch) -> None:
    asked, settle = [], Router.settle

    def told(self, trails, page):
        asked.append(self)
        settle(self, trails, page)

    monkeypatch.setattr(Router, "settle", told)
    # itself, and three quantiles of the signals
    assert Recording(pair, [Clamped()]).signals(SHORT, Clamped()) is not None
    assert len(asked) == 4
