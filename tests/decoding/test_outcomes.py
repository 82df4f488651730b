"""What ``observe`` is told adds up to what the tally counts, stops or not."""

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty

from hybridcore import Draft, Route, Strategy, hookimpl, laws
from hybridcore.decoding.step_law import WarpLaw

PIECES = ["a", "b", "c", "ab", "ca", "\n", "bc", " "]
PROMPTS = [[i % 8] * (1 + i % 3) for i in range(16)]
TOLD = {}


class Watched:
    """Keeps what a row was told by its prompt and its first sight."""

    @hookimpl
    def start(self, request):
        told = {"tokens": [], "from_llm": [], "drafted": 0, "accepted": 0}
        TOLD.setdefault(request.prompt, []).append(told)
        return told

    @hookimpl
    def observe(self, outcome):
        for i, told in enumerate(outcome.states):
            assert 0 <= outcome.accepted[i] <= outcome.drafted[i]
            told["tokens"] += outcome.tokens[i]
            told["from_llm"] += outcome.from_llm[i]
            told["drafted"] += outcome.drafted[i]
            told["accepted"] += outcome.accepted[i]


class WatchedSpeculative(Watched, Speculative):
    pass


class WatchedUncertainty(Watched, Uncertainty):
    pass


class WatchedLlmOnly(Watched, LlmOnly):
    pass


class Runs(Watched, Strategy):
    """Drafts runs of three tokens with no SLM, asks or checks by position."""

    requires = frozenset()

    @hookimpl
    def route_token(self, step):
        place = torch.tensor([len(step.tokens(i)) for i in range(len(step))]) % 4
        return Route(torch.where(place == 3, Route.ASK, (place == 1).long()))

    @hookimpl
    def draft(self, step):
        last = torch.tensor([step.tokens(i)[-1] for i in range(len(step))])
        tokens = (last[:, None] + torch.arange(1, 4)) % 8
        return Draft(tokens, torch.minimum(last % 4, step.budget))


class HeldRuns(Runs):
    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)


def text(tokens):
    return "".join(PIECES[token] for token in tokens)


STOPS = {
    "length": {},
    "eos": {"eos": frozenset({0, 2, 5, 6})},
    "stop": {"stops": ("ca", "\n"), "decode": text},
}


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    "strategy",
    [
        WatchedSpeculative(num_drafts=4),
        WatchedUncertainty(threshold=0.6),
        WatchedLlmOnly(),
        Runs(),
        HeldRuns(),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_outcomes_add_up_to_the_tally(pair, strategy, temperature, stop):
    TOLD.clear()
    law = WarpLaw(temperature)
    answers = pair.run(strategy, PROMPTS, 13, law=law, **STOPS[stop])
    found = sorted(
        (told["tokens"], told["from_llm"], told["drafted"], told["accepted"])
        for page in TOLD.values()
        for told in page
    )
    expected = sorted(
        (
            list(a.tokens),
            [e.from_llm for e in a.provenance],
            a.tally.num_draft_tokens,
            a.tally.num_accepted_draft_tokens,
        )
        for a in answers
    )
    assert found == expected
    assert {a.finish for a in answers} >= {stop}


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize(
    "strategy", [WatchedSpeculative(num_drafts=4), HeldRuns()], ids=["slm", "runs"]
)
def test_what_is_drafted_is_emitted_wasted_or_replaced(pair, strategy, stop):
    for answer in pair.run(strategy, PROMPTS, 13, **STOPS[stop]):
        tally = answer.tally
        emitted = [e for e in answer.provenance if not e.from_llm]
        assert len(emitted) == tally.num_accepted_draft_tokens == tally.tokens_from_slm
        assert all(e.accepted is True for e in emitted)
        rejected = tally.num_draft_tokens - tally.num_accepted_draft_tokens
        replaced = sum(e.rejected is not None for e in answer.provenance)
        assert replaced <= rejected <= tally.wasted_slm_tokens
        if answer.finish == "length":
            assert rejected == tally.wasted_slm_tokens
        assert all(
            e.from_llm and e.accepted is False
            for e in answer.provenance
            if e.rejected is not None
        )


def test_drafts_behind_a_stop_are_wasted_and_nothing_else(pair):
    """Of 4, 5, 6 the first completes a stop: one drafted, one accepted, two wasted."""
    pair.p.fill_(0.0)
    for token in range(8):
        pair.p[token, (token + 1) % 8] = 9.0
    (answer,) = pair.run(
        HeldRuns(),
        [[3]],
        law=WarpLaw(0.0),
        stops=("ca",),
        decode=text,
    )
    assert answer.tokens == (4,)
    tally = answer.tally
    assert (tally.num_draft_tokens, tally.num_accepted_draft_tokens) == (1, 1)
    assert (tally.wasted_slm_tokens, tally.wasted_llm_tokens) == (2, 2)
    assert tally.acceptance_histogram == [0, 1]
