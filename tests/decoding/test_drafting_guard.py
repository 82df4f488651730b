"""Blocks are as long as pays, by a clock that only the models move."""

import pytest
from hybridlm_strategy_baselines import LlmOnly
from hybridlm_strategy_speculative import Speculative

from hybridcore import Strategy, hookimpl, laws
from hybridcore.decoding.acceptance import Acceptance, Verdicts
from hybridcore.decoding.drafting_guard import DraftingGuard

from .costly import PROMPTS, cycle, run

LONG = [[i % 8, i // 8, *[(5 * i) % 8] * 298] for i in range(16)]


def test_drafts_that_are_never_accepted_cost_next_to_nothing():
    p, q = cycle(8, 1), cycle(8, 3)
    plain, needed, _ = run(p, q, LlmOnly(), adaptive=False)
    texts, taken, tallies = run(p, q, Speculative(num_drafts=4))
    _, bad, _ = run(p, q, Speculative(num_drafts=4), adaptive=False)
    assert texts == plain
    assert bad > 1.8 * needed
    assert taken < needed / 0.95
    stopped = sum(t.num_plain_steps for t in tallies)
    assert stopped > 0.9 * sum(t.llm_forwards for t in tallies)
    # and it never stops trying
    assert sum(t.num_spec_steps for t in tallies[-4:]) > 0


def test_drafts_that_are_accepted_are_hardly_disturbed():
    p = cycle(8, 1)
    plain, needed, _ = run(p, p, LlmOnly(), adaptive=False)
    texts, taken, _ = run(p, p, Speculative(num_drafts=4))
    _, free, _ = run(p, p, Speculative(num_drafts=4), adaptive=False)
    assert texts == plain
    assert free < taken < 1.03 * free < needed


def test_a_long_block_is_shortened_to_what_pays():
    # right on two tokens of three, so that a third draft is lost
    p, q = cycle(9, 1), cycle(9, 1)
    q[2::3] = cycle(9, 5)[2::3]
    _, long, _ = run(p, q, Speculative(num_drafts=8), adaptive=False)
    texts, taken, tallies = run(p, q, Speculative(num_drafts=8))
    plain, needed, _ = run(p, q, LlmOnly(), adaptive=False)
    assert texts == plain
    assert taken < min(0.8 * long, needed)
    asked = sum(t.num_draft_tokens for t in tallies)
    assert 1 < asked / sum(t.num_spec_steps for t in tallies) < 4


@pytest.mark.parametrize(("tokens", "opened"), [(8, False), (60, True)])
def test_a_prompt_that_drafting_would_not_repay_is_not_read(tokens, opened):
    p = cycle(8, 1)
    # a step takes 0.32 seconds, a prompt 9.2; an LLM step of four rows takes 4.4
    costs = {"slm": (0.2, 0.03), "prompts": LONG, "tokens": tokens}
    _, taken, tallies = run(p, p, Speculative(4), **costs)
    _, free, _ = run(p, p, Speculative(4), adaptive=False, **costs)
    assert all(bool(t.slm_forwards) == opened for t in tallies[-4:])
    assert abs(taken - free) < 0.02 * free if opened else taken < 0.95 * free


def test_without_it_nothing_is_limited():
    p = cycle(8, 1)
    _, _, tallies = run(p, p, Speculative(4), adaptive=False)
    assert not any(t.num_plain_steps for t in tallies)


class Insisting(Strategy):
    """Speculative sampling that notes the blocks it judges."""

    lossless = True
    judged = []

    @hookimpl
    def verify(self, block):
        self.judged.append(block.length.tolist())
        return laws.speculative_sample(block)


def test_any_strategy_that_holds_is_limited_and_plain_steps_are_plain():
    Insisting.judged.clear()
    # it would draft up to its budget
    run(cycle(8, 1), cycle(8, 3), Insisting(), tokens=60)
    assert max(map(max, Insisting.judged)) == 59
    assert [1] * 4 in Insisting.judged
    # where nothing was drafted it was asked for the last token of a text at most
    assert sum(not max(lengths) for lengths in Insisting.judged) <= len(PROMPTS)


class Drafts(Speculative):
    """Tells what room its hook was given."""

    rooms = []

    @hookimpl
    def draft(self, step):
        self.rooms.append(int(step.budget.min()))


def test_hooks_see_the_limit_as_their_budget():
    Drafts.rooms.clear()
    run(cycle(8, 1), cycle(8, 3), Drafts(num_drafts=4), tokens=100)
    assert max(Drafts.rooms) == 99
    assert 1 in Drafts.rooms


def expected(acceptance, drafts, draft, block):
    """Tokens a second; Leviathan et al., equation 1 and theorem 3.8."""
    tokens = (1 - acceptance ** (drafts + 1)) / (1 - acceptance)
    return tokens / (drafts * draft + block(drafts + 1))


class Constant(Acceptance):
    """The same at every position, until something is judged."""

    def __init__(self, share):
        super().__init__()
        self._all = Verdicts(32 * share, 32 * (1 - share))


def taught(draft, block, accepted, rejected, longest=6, rows=1):
    """A guard that has seen so many verdicts."""
    guard = DraftingGuard()
    for width in (longest + 1, 1):
        guard.drafted(rows, rows, rows, 1, draft)
        guard.judged([(width - 1, width - 1)] * rows, width, block(width), True)
    guard.acceptance = Constant(accepted / (accepted + rejected))
    return guard


@pytest.mark.parametrize("acceptance", [0.05, 0.3, 0.5, 0.7, 0.8, 0.9, 0.97])
@pytest.mark.parametrize("draft", [0.02, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("token", [0.0, 0.05, 0.3])
def test_the_length_is_that_of_the_formula(acceptance, draft, token):
    def block(width):
        return 1.0 + token * width

    guard = taught(draft, block, acceptance, 1 - acceptance)
    rates = [expected(acceptance, k, draft, block) for k in range(7)]
    rates[0] *= 1.03  # what is hardly faster is left alone
    best = rates.index(max(rates))
    assert guard.limit(1) == (None if best == 6 else best)


def stopped(rows=1):
    guard = taught(0.5, lambda width: 1.0 + 0.5 * width, 0.0, 9.0, 4, rows)
    assert [guard.limit(rows) for _ in range(3)] == [0, 0, 0]
    return guard


def plain_steps_to_a_trial(guard, rows=1):
    for steps in range(1000):
        if guard.limit(rows):
            return steps
        guard.judged([(0, 0)] * rows, 1, 1.5, True)
    raise AssertionError("no trial")


def test_trials_lose_two_percent():
    guard = stopped()
    plain_steps_to_a_trial(guard)
    for _ in range(3):
        guard.drafted(1, 1, 1, 1, 0.5)
        guard.judged([(1, 0)], 2, 2.0, True)
        # a draft and the longer block, of which one token came
        lost = 0.5 + 2.0 - 1.5
        steps = plain_steps_to_a_trial(guard)
        # but for the step with which the last waiting ended
        assert abs(steps * 1.5 - lost / 0.02) <= 3.0


def test_what_the_slm_must_catch_up_on_makes_trials_rarer():
    guard = stopped()
    plain_steps_to_a_trial(guard)
    guard.drafted(1, 1, 50, 50, 5.0)
    guard.judged([(1, 0)], 2, 2.0, True)
    assert plain_steps_to_a_trial(guard) * 1.5 >= 5.5 / 0.02 - 3.0


def test_it_recovers_where_drafts_are_accepted_again():
    guard = stopped(rows=8)
    plain_steps_to_a_trial(guard, 8)
    lengths = []
    for _ in range(12):
        guard.drafted(8, 8, 8, 1, 0.1)
        guard.judged([(1, 1)] * 8, 2, 1.7, True)
        lengths.append(guard.limit(8))
    assert (lengths[0], lengths[-1]) == (1, None)
    assert guard.acceptance.overall > 0.9


def test_a_slow_moment_decides_nothing():
    guard = taught(0.1, lambda width: 1.0, 9.0, 1.0)
    for _ in range(2):
        guard.judged([(6, 6)], 7, 1.0, True)
    guard.judged([(6, 6)], 7, 500.0, True)
    guard.limit(1)
    assert guard.limit(1) is None


def test_prompts_say_nothing_of_a_block():
    guard = DraftingGuard()
    guard.drafted(2, 2, 600, 300, 30.0)
    guard.judged([(4, 4), (4, 4)], 5, 90.0, False)
    assert guard.limit(2) == 0  # to measure
    guard.judged([(0, 0)] * 2, 1, 1.0, True)
    assert guard.limit(2) is None  # a block has not been measured
    guard.drafted(2, 2, 4, 2, 0.1)
    guard.judged([(4, 4), (4, 4)], 5, 1.5, True)
    assert guard.limit(2) is None  # because it pays
