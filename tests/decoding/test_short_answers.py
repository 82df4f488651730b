"""Short answers in wide batches: a move without a new prompt is the exception."""

import random

import pytest
from hybridlm_strategy_baselines import LlmOnly
from hybridlm_strategy_speculative import Speculative

from hybridcore.decoding.drafting_guard import DraftingGuard
from hybridcore.decoding.step_law import WarpLaw

from .costly import cycle, run

SLM = (2.0, 0.005)


def answers(least, most, count):
    """Prompts of 20 tokens, and how long their answers are."""
    chance = random.Random(1)
    prompts = [[chance.randrange(8) for _ in range(20)] for _ in range(count)]
    return prompts, [chance.randint(least, most) for _ in prompts]


def seconds(p, q, prompts, tokens, batch, law=None, slm=SLM, price=5):
    """Seconds of plain decoding, of speculation, and of ``adaptive``."""
    options = {"prompts": prompts, "tokens": tokens, "batch": batch, "slm": slm}
    options["llm"] = (4.0, 0.02)
    options |= {"price": price} | ({} if law is None else {"law": law})
    strategy = Speculative(num_drafts=4)
    texts, plain, _ = run(p, q, LlmOnly(), adaptive=False, **options)
    _, fixed, _ = run(p, q, strategy, adaptive=False, **options)
    ours, adaptive, _ = run(p, q, strategy, **options)
    assert law is not None or ours == texts
    return plain, fixed, adaptive


@pytest.mark.parametrize("price", [2, 5, 20])
@pytest.mark.parametrize("batch", [8, 16])
def test_drafts_never_accepted_cost_next_to_nothing(batch, price):
    given = answers(2, 11, 300)
    p, q = cycle(8, 1), cycle(8, 3)
    plain, fixed, adaptive = seconds(p, q, *given, batch, price=price)
    assert plain < 0.7 * fixed
    assert plain > 0.95 * adaptive


@pytest.mark.parametrize("batch", [8, 16])
def test_drafts_seldom_accepted_cost_next_to_nothing(batch, pair):
    given = answers(2, 11, 300)
    plain, fixed, adaptive = seconds(pair.p, pair.q, *given, batch, WarpLaw(1.0))
    assert plain < 0.8 * fixed
    assert plain > 0.95 * adaptive


def test_good_drafts_keep_most_of_what_they_bring():
    p = cycle(8, 1)
    plain, fixed, adaptive = seconds(p, p, *answers(2, 11, 300), 16, slm=(1.0, 0.005))
    assert plain > 1.3 * fixed
    assert adaptive < 1.1 * fixed


@pytest.mark.parametrize("tokens", [2, 3])
def test_it_holds_where_no_move_is_without_a_prompt(tokens):
    given = answers(tokens, tokens, 600)
    plain, fixed, adaptive = seconds(cycle(8, 1), cycle(8, 3), *given, 16)
    assert plain < 0.9 * fixed
    assert plain > 0.95 * adaptive


def plain_steps(guard, rows, in_step):
    """For each of 200 moves, whether it was asked to be plain."""
    asked = []
    for _ in range(200):
        limit = guard.limit(rows)
        asked.append(limit == 0)
        drafts = 0 if limit == 0 else 4
        if drafts:
            guard.drafted(rows, drafts * rows, 0, 1, 0.1)
        guard.judged([(drafts, drafts)] * rows, drafts + 1, 1.0, in_step)
    return asked


def test_a_plain_step_is_asked_for_until_it_is_measured_but_not_for_long():
    spoilt = plain_steps(DraftingGuard(), 2, in_step=False)
    # the first block, eight attempts, and again after 64 beginnings
    assert [i for i, plain in enumerate(spoilt) if plain] == [
        i for start in (1, 74, 147) for i in range(start, start + 8)
    ]
    measured = plain_steps(DraftingGuard(), 2, in_step=True)
    assert [i for i, plain in enumerate(measured) if plain] == [1, 66, 131, 196]


def test_a_measurement_serves_other_numbers_of_rows():
    guard = DraftingGuard()
    guard.drafted(8, 8, 8, 1, 2.0)
    guard.judged([(1, 0)] * 8, 2, 1.0, True)
    assert guard.limit(7) == 0
    guard.judged([(0, 0)] * 3, 1, 1.0, True)
    guard.acceptance.judged([(1, 0)] * 50)
    assert guard.limit(5) == 0  # a decision, not a measurement
    assert guard._stopped
