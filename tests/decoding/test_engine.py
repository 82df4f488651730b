"""The loop: phases, budgets, counts, state, randomness."""

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly, SlmOnly
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty

from hybridcore import Draft, Route, Strategy, Verdict, hookimpl, laws
from hybridcore.decoding.patience import Patience
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.errors import HookError
from hybridcore.tally import Tally

GREEDY = WarpLaw(0.0)


@pytest.mark.parametrize("drafts", [1, 3, 7])
def test_counts_of_speculation(pair, drafts):
    answers = pair.run(Speculative(num_drafts=drafts), [[i] for i in range(8)], 13)
    for answer in answers:
        t = answer.tally
        assert t.tokens_out == len(answer.tokens) == 13
        assert t.tokens_from_slm + t.tokens_from_llm == t.tokens_out
        assert t.tokens_from_slm == t.num_accepted_draft_tokens
        assert sum(t.acceptance_histogram) == t.num_spec_steps
        weighted = sum(i * n for i, n in enumerate(t.acceptance_histogram))
        assert weighted == t.num_accepted_draft_tokens
        assert t.num_draft_tokens - t.num_accepted_draft_tokens == t.wasted_slm_tokens
        # every round emits its accepted drafts and one token of the LLM
        plain = t.llm_forwards - t.num_spec_steps
        assert t.tokens_out == t.num_accepted_draft_tokens + t.num_spec_steps + plain
    total = Tally.total(a.tally for a in answers)
    assert total.slm_tokens_processed == pair.slm.tokens_read
    assert total.llm_tokens_processed == pair.llm.tokens_read


def test_counts_of_routing(pair):
    answers = pair.run(Uncertainty(threshold=0.6), [[1, 2, 3]] * 6, 10, batch=3)
    total = Tally.total(a.tally for a in answers)
    asked = sum(e.from_llm for a in answers for e in a.provenance)
    assert total.tokens_from_llm == asked == total.llm_forwards
    assert total.num_spec_steps == 0
    assert total.slm_tokens_processed == pair.slm.tokens_read
    assert total.llm_tokens_processed == pair.llm.tokens_read


def test_a_row_that_is_never_routed_costs_no_llm_token(pair):
    answers = pair.run(SlmOnly(), [[1, 2], [3]])
    assert pair.llm.tokens_read == pair.llm.forwards == 0
    assert [a.tally.llm_requests_skipped for a in answers] == [1, 1]


def test_a_strategy_without_slm_never_runs_it(pair):
    pair.run(LlmOnly(), [[1, 2], [3]])
    assert pair.slm.forwards == 0


def test_asks_that_come_together_share_a_forward(pair):
    pair.run(LlmOnly(), [[i] for i in range(8)], tokens=5, batch=8)
    assert pair.llm.forwards == 5


def test_patience_is_ski_rental():
    patience = Patience(price=5)
    patience.sit_out(3)
    assert not patience.spent()
    patience.sit_out(2)
    assert patience.spent()
    patience.reset()
    assert not patience.spent()


class AskOnToken(Strategy):
    """Asks exactly at rows whose prompt begins with 7."""

    @hookimpl
    def route_token(self, step):
        asks = [step.tokens(i)[0] == 7 for i in range(len(step))]
        return Route(torch.tensor(asks).long() * Route.ASK)


def test_a_rare_ask_waits_no_longer_than_the_price(pair):
    prompts = [[7], [1], [2], [3]]
    pair.run(AskOnToken(), prompts, tokens=10, price=3)
    patient = pair.llm.forwards
    assert patient == 10
    # the asking row sits out 3 steps for each token it asks: 10 * 3 > 10 steps
    assert pair.slm.forwards < 10 + 10 * 3


@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_short_budgets(pair, tokens):
    expected = pair.run(LlmOnly(), [[1], [2]], tokens, law=GREEDY)
    got = pair.run(Speculative(num_drafts=4), [[1], [2]], tokens, law=GREEDY)
    assert [a.tokens for a in got] == [a.tokens for a in expected]
    if tokens == 1:
        assert pair.slm.forwards == 0


def test_budget_zero_is_an_empty_answer(pair):
    (answer,) = pair.run(Speculative(), [[1]], 0)
    assert (answer.tokens, answer.finish) == ((), "length")
    assert pair.slm.forwards == pair.llm.forwards == 0


@pytest.mark.parametrize("strategy", [Speculative(), LlmOnly(), SlmOnly()])
def test_end_of_sequence_ends_a_row_inside_a_block(make_pair, strategy):
    pair = make_pair(seed=1)
    free = pair.run(strategy, [[i] for i in range(8)], 20, law=GREEDY)
    eos = frozenset({free[0].tokens[3]})
    for long, short in zip(
        free,
        pair.run(strategy, [[i] for i in range(8)], 20, law=GREEDY, eos=eos),
        strict=True,
    ):
        ends = [i for i, token in enumerate(long.tokens) if token in eos]
        length = ends[0] + 1 if ends else 20
        assert short.tokens == long.tokens[:length]
        assert short.finish == ("eos" if ends else "length")
        t = short.tally
        assert t.tokens_from_slm + t.tokens_from_llm == t.tokens_out == length


class Remembering(Strategy):
    """Counts its own steps in the row's state, and what it was told."""

    @hookimpl
    def start(self, request):
        return {"prompt": request.prompt, "steps": 0, "told": [], "drafted": 0}

    @hookimpl
    def route_token(self, step):
        for state in step.states:
            state["steps"] += 1
        return Route.check_at(step, 2)

    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)

    @hookimpl
    def observe(self, outcome):
        for state, tokens, drafted in zip(
            outcome.states, outcome.tokens, outcome.drafted, strict=True
        ):
            state["told"] += tokens
            state["drafted"] += drafted
            SEEN[state["prompt"]] = state


SEEN = {}


def test_state_is_per_row_and_observe_tells_everything(pair):
    SEEN.clear()
    prompts = [[i] for i in range(6)]
    answers = pair.run(Remembering(), prompts, batch=3)
    for prompt, answer in zip(prompts, answers, strict=True):
        state = SEEN[tuple(prompt)]
        assert tuple(state["told"]) == answer.tokens
        assert state["drafted"] == answer.tally.num_draft_tokens
        assert state["steps"] == answer.tally.slm_forwards


class Copy(Strategy):
    """Drafts copies of the last token with no SLM, a point mass."""

    requires = frozenset()
    lossless = True

    @hookimpl
    def route_token(self, step):
        return Route.check_at(step, 1)

    @hookimpl
    def draft(self, step):
        width = 3
        last = [[step.tokens(i)[-1]] * width for i in range(len(step))]
        return Draft(torch.tensor(last), step.budget.clamp_max(width))

    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)


def test_drafts_without_slm_keep_the_greedy_text(pair):
    pair.p.fill_diagonal_(2.0)
    prompts = [[i] for i in range(8)]
    expected = pair.run(LlmOnly(), prompts, 15, law=GREEDY)
    got = pair.run(Copy(), prompts, 15, law=GREEDY)
    assert [a.tokens for a in got] == [a.tokens for a in expected]
    assert pair.slm.forwards == 0
    assert sum(a.tally.num_accepted_draft_tokens for a in got) > 0


class KeepRound(Strategy):
    """Accepts every draft and emits nothing of its own."""

    @hookimpl
    def route_token(self, step):
        return Route.check_at(step, 2)

    @hookimpl
    def verify(self, block):
        if (block.length == 0).any():
            return None
        return Verdict(block.length)


def test_a_round_without_an_extra_token(pair):
    slm = pair.run(SlmOnly(), [[1], [2]], 9, law=GREEDY)
    got = pair.run(KeepRound(), [[1], [2]], 9, law=GREEDY)
    assert [a.tokens[:8] for a in got] == [a.tokens[:8] for a in slm]
    assert all(a.tally.tokens_from_llm <= 1 for a in got)


class Outside(Copy):
    @hookimpl
    def draft(self, step):
        return Draft(torch.full((len(step), 1), 99), step.pending + 1)


def test_a_draft_outside_the_vocabulary_is_an_error_not_a_crash(pair):
    with pytest.raises(HookError, match="strategy Outside, draft: tokens"):
        pair.run(Outside(), [[1]])


def test_slots_are_free_again_after_an_error(pair):
    with pytest.raises(HookError):
        pair.run(Outside(), [[1], [2]], batch=2)
    assert pair.llm.acquire([1])[0] in (0, 1)


def test_freed_slots_are_reused_as_prefixes(pair):
    shared = [1, 2, 3, 4, 5]
    answers = pair.run(SlmOnly(), [[*shared, i] for i in range(4)], 3, batch=1)
    assert [a.tally.reused_prefix_tokens for a in answers] == [0, 5, 5, 5]


class Trusting(Strategy):
    """CHECK without verify: the SLM's token stays and the LLM adds one."""

    @hookimpl
    def route_token(self, step):
        return Route.check_at(step, 2)


def test_check_without_verify_adds_one_token_of_the_llm(pair):
    (answer,) = pair.run(Trusting(), [[1]], 9, law=GREEDY)
    origin = [e.from_llm for e in answer.provenance]
    assert origin == [False, False, True] * 3
