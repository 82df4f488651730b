"""Models read every token once, and what they hold is what the row is.

The tables here also look at all that a slot holds, as a network does: a wrong token
that stayed in it changes the text.
"""

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly, SlmOnly
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty

from hybridcore import Draft, Route, Strategy, hookimpl, laws, signals
from hybridcore.conformance.table import TableRunner
from hybridcore.decoding.step_law import WarpLaw

PROMPTS = [[1], [2, 3, 5], [0, 5, 1, 1], [7, 7], [4, 4], [6, 2, 0]]
GREEDY = WarpLaw(0.0)
TOKENS = 17


class History(TableRunner):
    """A table whose row is chosen by the last token and the sum of those before."""

    def forward(self, feeds):
        super().forward(feeds)
        read = []
        for feed in feeds:
            held = self._places.held[feed.slot]
            ends = range(len(held) - feed.wanted + 1, len(held) + 1)
            read += [after(self._logits, held[:end]) for end in ends]
        return torch.stack(read)


def after(table, ids):
    shift = sum(token * (place + 1) for place, token in enumerate(ids)) % len(table)
    return table[ids[-1]].roll(shift)


@pytest.fixture
def history(pair):
    pair.runner = History
    return pair


class Runs(Strategy):
    """Drafts three tokens in one go on the SLM's logits, asks now and then."""

    @hookimpl
    def route_token(self, step):
        places = torch.tensor([len(step.tokens(i)) for i in range(len(step))])
        return Route(torch.where(places % 7 == 3, Route.ASK, (places % 2)))

    @hookimpl
    def draft(self, step):
        best = step.logits.argmax(-1)
        tokens = (best[:, None] + torch.arange(3)) % 8
        return Draft(tokens, step.budget.clamp_max(3))

    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)


def greedy_text(pair, prompt, ask=lambda logits: True):
    ids, last_asked = list(prompt), 0
    for _ in range(TOKENS):
        routed = ask(after(pair.q, ids))
        last_asked = len(ids) if routed else last_asked
        table = pair.p if routed else pair.q
        ids.append(int(after(table, ids).argmax()))
    return tuple(ids[len(prompt) :]), last_asked


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("price", [1, 5])
@pytest.mark.parametrize(
    "strategy",
    [LlmOnly(), Runs(), *(Speculative(num_drafts=k) for k in (1, 2, 4, 7))],
)
def test_greedy_text_is_the_llms(history, strategy, price, batch):
    answers = history.run(
        strategy, PROMPTS, TOKENS, law=GREEDY, batch=batch, price=price
    )
    expected = [greedy_text(history, prompt)[0] for prompt in PROMPTS]
    assert [a.tokens for a in answers] == expected


@pytest.mark.parametrize("batch", [1, 4])
def test_a_router_reads_each_token_once(history, batch):
    def ask(logits):
        return bool(signals.least_confidence(logits) > 0.6)

    answers = history.run(
        Uncertainty(threshold=0.6), PROMPTS, TOKENS, law=GREEDY, batch=batch
    )
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        expected, last_asked = greedy_text(history, prompt, ask)
        assert answer.tokens == expected
        tally = answer.tally
        reused = tally.reused_prefix_tokens
        read = tally.slm_tokens_processed + tally.llm_tokens_processed + reused
        assert read == len(prompt) + TOKENS - 1 + last_asked
        assert tally.slm_forwards == TOKENS
        assert tally.llm_forwards == tally.tokens_from_llm
        prefill = tally.llm_prefill_tokens
        assert len(prompt) - reused <= prefill <= len(prompt)


@pytest.mark.parametrize("strategy", [LlmOnly(), SlmOnly()])
def test_prompts_are_counted_once(history, strategy):
    answers = history.run(strategy, PROMPTS, TOKENS, batch=6)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        asks = isinstance(strategy, LlmOnly)
        tally = answer.tally
        read = len(prompt) + TOKENS - 1
        counts = tally.slm_tokens_processed, tally.llm_tokens_processed
        assert counts == ((0, read) if asks else (read, 0))
        assert tally.llm_prefill_tokens == (len(prompt) if asks else 0)


ROUNDS = {}


class Counted:
    @hookimpl
    def start(self, request):
        return ROUNDS.setdefault(request.prompt, [])

    @hookimpl
    def observe(self, outcome):
        for i, rounds in enumerate(outcome.states):
            told = len(outcome.tokens[i]), outcome.drafted[i], outcome.accepted[i]
            rounds.append(told)


class CountedSpeculative(Counted, Speculative):
    pass


@pytest.mark.parametrize("drafts", [1, 2, 4, 7])
def test_speculation_reads_again_only_what_was_rejected(history, drafts):
    ROUNDS.clear()
    strategy = CountedSpeculative(num_drafts=drafts)
    answers = history.run(strategy, PROMPTS, TOKENS, law=WarpLaw(1.0), batch=6)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        slm = llm = slm_holds = llm_holds = 0
        length = len(prompt)
        for emitted, drafted, accepted in ROUNDS[tuple(prompt)]:
            if drafted:
                slm += length + drafted - 1 - slm_holds
                slm_holds = min(length + drafted - 1, length + accepted)
            llm += length + drafted - llm_holds
            llm_holds = length + accepted
            length += emitted
        assert answer.tally.slm_tokens_processed == slm
        assert answer.tally.llm_tokens_processed == llm
        assert answer.tally.llm_prefill_tokens == len(prompt)
