"""Draft lengths follow luck and doubt."""

import pytest
import torch

from hybridcore import Outcome, Step


def test_adaptive_blocks_grow_and_shrink(recipe):
    made = recipe("adaptive_drafts")
    strategy, window = made["AdaptiveDrafts"](first=3), made["Window"](3)
    for drafted, accepted, expected in [(3, 3, 5), (5, 4, 4), (0, 0, 4), (4, 0, 3)]:
        outcome = Outcome([[]], [[]], [drafted], [accepted], [window])
        strategy.observe(outcome)
        assert window.tokens == expected


def test_adaptive_blocks_end_at_the_window_or_in_doubt(recipe):
    made = recipe("adaptive_drafts")
    strategy = made["AdaptiveDrafts"](gamma=0.2, least=0.6)
    sure, unsure = [50.0, 0.0, 0.0, 0.0], [0.0] * 4  # entropy 0 and log 4
    step = Step(
        logits=torch.tensor([sure, sure, unsure]),
        law=None,
        pending=torch.tensor([0, 4, 0]),
        budget=torch.tensor([9, 9, 9]),
        states=[made["Window"](5)] * 3,
    )
    route = strategy.route_token(step)
    assert route.verdict.tolist() == [route.KEEP, route.CHECK, route.CHECK]
    # 1 - sqrt(0.2 * 1.3863)
    assert route.signal.tolist() == pytest.approx([1.0, 1.0, 0.47344], abs=1e-5)


def test_adaptive_blocks_become_longer_than_the_first(base, recipe, answers):
    lm = base.with_strategy(recipe("adaptive_drafts")["AdaptiveDrafts"](first=2))
    answers(lm)
    longest = len(lm.get_model_info()["hybrid"]["total"]["acceptance_histogram"]) - 1
    assert longest > 4
