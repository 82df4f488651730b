"""Lengths that the past and a clock decide keep the LLM's law; others do not.

The pair, the answers and the test of :mod:`test_sampling_law`.
"""

import random
from collections import Counter

import pytest
import torch
from hybridlm_strategy_speculative import Speculative
from scipy.stats import chisquare

from hybridcore.conformance.table import TableRunner
from hybridcore.decoding import engine as engine_module
from hybridcore.decoding.engine import Engine
from hybridcore.decoding.guarded_moves import GuardedDrafting
from hybridcore.decoding.reading import SharedVocabulary
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.dispatch import Dispatcher

N = 5000
BATCH = 16


class Restless:
    """A clock that makes drafting look cheap and dear by turns."""

    def __init__(self):
        self.random, self.now = random.Random(3), 0.0

    def __call__(self):
        self.now += self.random.choice([0.01, 0.1, 1.0, 10.0])
        return self.now


def run(pair, law, tokens=4):
    """Return texts and answers."""
    engine = Engine(
        TableRunner(pair.q, BATCH),
        TableRunner(pair.p, BATCH),
        Dispatcher(Speculative(num_drafts=3)),
        SharedVocabulary(pair.size, pair.size),
        BATCH,
        adaptive=True,
        clock=Restless(),
    )
    answers = list(engine.run(pair.requests([[1]] * N, tokens, law)))
    return [answer.tokens for answer in answers], answers


def p_value(pair, texts, law):
    """Chi-square of all texts, those that are rare taken together."""
    table = law(None, pair.p).double()
    exact = table[1]
    for _ in range(len(texts[0]) - 1):
        exact = exact[..., None] * table
    exact = exact.flatten() * N
    observed = torch.zeros_like(exact)
    for text, count in Counter(texts).items():
        place = 0
        for token in text:
            place = place * pair.size + token
        observed[place] = count
    common = exact >= 5
    sums = [x[~common].sum()[None] for x in (observed, exact)]
    return chisquare(
        torch.cat([observed[common], sums[0]]).numpy(),
        torch.cat([exact[common], sums[1]]).numpy(),
        sum_check=False,
    ).pvalue


@pytest.mark.parametrize("law", [WarpLaw(1.0), WarpLaw(0.7, top_k=6, top_p=0.9)])
def test_guarded_sampling_follows_the_llm(pair, law):
    texts, answers = run(pair, law)
    assert p_value(pair, texts, law) > 1e-4
    # lengths of all kinds were there
    plain = sum(a.tally.num_plain_steps for a in answers)
    blocks = sum(a.tally.num_spec_steps for a in answers)
    drafts = sum(a.tally.num_draft_tokens for a in answers)
    assert min(plain, blocks) > 500
    assert 1.2 < drafts / blocks < 2.9


class Peeking(GuardedDrafting):
    """Decides by the number that the first token of the block is drawn with."""

    def _begin(self, rows, together):
        for row in rows:
            row.limit = 3 if row.numbers.peek() < 0.5 else 0


class Dropping(GuardedDrafting):
    """Ends a block where its draft was going to be rejected."""

    def __call__(self, rows):
        self._move(rows)
        for row in rows:
            if row.drafts and row.numbers.peek() > 0.5:
                row.waiting = True
                row.drafts = row.drafts[:-1]


@pytest.mark.parametrize("biased", [Peeking, Dropping])
def test_a_length_that_depends_on_its_own_block_is_caught(pair, biased, monkeypatch):
    monkeypatch.setattr(engine_module, "GuardedDrafting", biased)
    texts, _ = run(pair, WarpLaw(1.0))
    assert p_value(pair, texts, WarpLaw(1.0)) < 1e-4
