"""Verdicts without a token of their own, row by row, against a plain loop."""

import random

import pytest
import torch

from hybridcore import Route, Strategy, Verdict, hookimpl, laws
from hybridcore.decoding.randomness import row_seed
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.errors import HookError

PROMPTS = [[1], [2, 3], [0, 5, 1, 1], [7], [4, 4], [6, 2, 0], [3], [5]]
TOKENS = 11


class OddSpeaks(Strategy):
    """Accepts all; the LLM adds a token where the last draft is odd, or is missing."""

    shortcut = False

    @hookimpl
    def route_token(self, step):
        return Route.check_at(step, 2)

    @hookimpl
    def verify(self, block):
        # a first column that speaks, for rows without a draft
        drafted = torch.nn.functional.pad(block.drafted, (1, 0), value=1)
        speaks = laws.at(drafted, block.length) % 2 == 1
        if self.shortcut and not speaks.any():
            return Verdict(block.length)
        law = laws.at(block.p, block.length)
        return Verdict(block.length, law * speaks[:, None])


class OddSpeaksShortcut(OddSpeaks):
    """Says None where no row speaks, and zeros where some do."""

    shortcut = True


def plain_loop(pair, prompt, repeat, law):
    numbers = random.Random(row_seed(0, prompt, repeat))
    ids, origin = list(prompt), []

    def draw(table, from_llm):
        uniform = torch.tensor([numbers.random()], dtype=torch.double)
        ids.append(laws.sample(law(None, table[ids[-1]][None]), uniform).item())
        origin.append(from_llm)

    while len(origin) < TOKENS:
        drafted = min(2, TOKENS - len(origin) - 1)
        for _ in range(drafted):
            draw(pair.q, False)
        for _ in range(drafted):
            numbers.random()  # a verdict takes one for each draft
        if not drafted or ids[-1] % 2 == 1:
            draw(pair.p, True)
    return tuple(ids[len(prompt) :]), origin


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("strategy", [OddSpeaks(), OddSpeaksShortcut()])
def test_each_row_says_whether_a_token_follows(pair, strategy, batch, temperature):
    law = WarpLaw(temperature)
    answers = pair.run(strategy, PROMPTS, TOKENS, batch=batch, law=law)
    silent = 0
    for i, answer in enumerate(answers):
        tokens, origin = plain_loop(pair, PROMPTS[i], i, law)
        assert answer.tokens == tokens
        assert [e.from_llm for e in answer.provenance] == origin
        tally = answer.tally
        assert tally.num_draft_tokens == tally.num_accepted_draft_tokens
        silent += tally.num_spec_steps - sum(origin[:-1])
    assert silent > 0


class Silent(Strategy):
    """Rejects the second row's drafts and emits nothing there."""

    @hookimpl
    def route_token(self, step):
        return Route.check_at(step, 1)

    @hookimpl
    def verify(self, block):
        law = laws.at(block.p, block.length)
        law[1:] = 0.0
        return Verdict(torch.zeros_like(block.length), law)


def test_a_row_that_accepts_nothing_must_emit_something(pair):
    message = "strategy Silent, verify: next_law: expected a law .* got zeros in row 1"
    with pytest.raises(HookError, match=message):
        pair.run(Silent(), [[1], [2]], batch=2)
