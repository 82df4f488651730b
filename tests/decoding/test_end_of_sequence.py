"""An end-of-sequence token or a stop string anywhere in a block, kept or rejected."""

import math
from collections import Counter

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly
from hybridlm_strategy_speculative import Speculative
from scipy.stats import chisquare

from hybridcore import Draft, Route, Strategy, hookimpl, laws
from hybridcore.decoding.step_law import WarpLaw

GREEDY = WarpLaw(0.0)
EOS = 7


def count_up(pair):
    """Both models count: behind i stands i + 1."""
    for table in (pair.q, pair.p):
        table.fill_(0.0)
        for token in range(8):
            table[token, (token + 1) % 8] = 9.0


class Run(Strategy):
    """Drafts the next four in one go, so an end may stand anywhere in a draft."""

    @hookimpl
    def route_token(self, step):
        return Route.check_at(step, 1)

    @hookimpl
    def draft(self, step):
        last = torch.tensor([step.tokens(i)[-1] for i in range(len(step))])
        tokens = (last[:, None] + torch.arange(1, 5)) % 8
        return Draft(tokens, step.budget.clamp_max(4))

    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)


both = pytest.mark.parametrize(
    "strategy", [Speculative(num_drafts=4), Run()], ids=["one by one", "in one go"]
)


@both
@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
def test_an_accepted_end_ends_the_row_there(pair, strategy, place):
    """At the first, a middle, the last place of the block, and just behind it."""
    count_up(pair)
    eos = frozenset({EOS})
    prompts = [[EOS - place], [0]]
    (expected, other) = pair.run(LlmOnly(), prompts, 20, law=GREEDY, eos=eos)
    (answer, beside) = pair.run(strategy, prompts, 20, law=GREEDY, eos=eos)
    assert answer.tokens == expected.tokens == tuple(range(EOS - place + 1, EOS + 1))
    assert answer.finish == "eos"
    assert beside.tokens == other.tokens
    tally = answer.tally
    drafted = min(place, 4)
    assert tally.num_draft_tokens == tally.num_accepted_draft_tokens == drafted
    assert tally.tokens_from_slm == drafted
    assert tally.tokens_from_llm == place - drafted
    # what a draft holds behind the end is cut off before the LLM reads it
    behind = 4 - place if isinstance(strategy, Run) and place < 4 else 0
    assert tally.wasted_slm_tokens == behind
    assert tally.wasted_llm_tokens == 0
    assert tally.llm_tokens_processed == 1 + drafted


@both
@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_a_rejected_end_goes_on(pair, strategy, place):
    """The LLM goes from EOS - 1 to 0, past the end; at 3 its text has gone around."""
    count_up(pair)
    pair.p[EOS - 1] = 0.0
    pair.p[EOS - 1, 0] = 9.0
    eos = frozenset({EOS})
    prompts = [[EOS - place]]
    (expected,) = pair.run(LlmOnly(), prompts, 9, law=GREEDY, eos=eos)
    (answer,) = pair.run(strategy, prompts, 9, law=GREEDY, eos=eos)
    assert answer.tokens == expected.tokens
    assert (answer.finish, len(answer.tokens)) == ("length", 9)
    first = next(e for e in answer.provenance if e.rejected is not None)
    assert (first.token, first.rejected, first.from_llm) == (0, EOS, True)


@both
@pytest.mark.parametrize("place", [1, 2, 4])
def test_the_llm_ends_where_the_draft_goes_on(pair, strategy, place):
    count_up(pair)
    pair.q[EOS - 1] = 0.0
    pair.q[EOS - 1, 0] = 9.0
    eos = frozenset({EOS})
    (answer,) = pair.run(strategy, [[EOS - place]], 9, law=GREEDY, eos=eos)
    assert answer.tokens == tuple(range(EOS - place + 1, EOS + 1))
    assert answer.finish == "eos"
    if isinstance(strategy, Speculative):
        assert answer.provenance[-1].rejected == 0
        assert answer.tally.num_accepted_draft_tokens == place - 1


PIECES = [*"abcdef", "gh", "\n"]


@both
@pytest.mark.parametrize("stop", ["b", "cd", "defg", "e", "h", "\n", "gh\na", "fg"])
@pytest.mark.parametrize("budget", [1, 2, 3, 5, 20])
def test_stop_strings_and_budgets(pair, strategy, stop, budget):
    count_up(pair)
    settings = {
        "law": GREEDY,
        "stops": (stop,),
        "decode": lambda tokens: "".join(PIECES[token] for token in tokens),
    }
    prompts = [[token] for token in range(8)]
    expected = pair.run(LlmOnly(), prompts, budget, **settings)
    for answer, other in zip(
        pair.run(strategy, prompts, budget, **settings), expected, strict=True
    ):
        assert (answer.tokens, answer.finish) == (other.tokens, other.finish)
        text = settings["decode"](answer.tokens)
        assert (stop in text) == (answer.finish == "stop")
        tally = answer.tally
        assert tally.tokens_from_slm == tally.num_accepted_draft_tokens
        if budget == 1:
            assert tally.num_draft_tokens == tally.slm_forwards == 0


N = 4000


@pytest.mark.parametrize("drafts", [1, 3])
def test_sampled_answers_that_may_end_follow_the_llm(make_pair, drafts):
    """Chi-square of whole answers of up to four tokens, p > 1e-4."""
    pair = make_pair(size=4, seed=5)
    answers = pair.run(
        Speculative(num_drafts=drafts), [[1]] * N, 4, batch=64, eos=frozenset({0})
    )
    table = pair.p.double().softmax(-1).tolist()
    exact = {}

    def spell(tokens, mass):
        if len(tokens) == 4 or tokens[-1:] == (0,):
            exact[tokens] = mass * N
            return
        for token, share in enumerate(table[tokens[-1] if tokens else 1]):
            spell((*tokens, token), mass * share)

    spell((), 1.0)
    seen = Counter(answer.tokens for answer in answers)
    assert set(seen) <= set(exact)
    common = [tokens for tokens, mass in exact.items() if mass >= 5]
    f_exp = [exact[tokens] for tokens in common]
    f_obs = [seen[tokens] for tokens in common]
    f_exp.append(math.fsum(exact.values()) - math.fsum(f_exp))
    f_obs.append(N - sum(f_obs))
    assert chisquare(f_obs, f_exp).pvalue > 1e-4
