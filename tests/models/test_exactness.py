"""In float32 the slot runner gives what recomputing and ``generate`` give.

For every architecture, under random junk drafts, ragged reads of random subsets of
the rows, roll-backs, new sequences in used slots, and prefixes reused or copied.
"""

import random

import pytest
import torch

from hybridcore.conformance.tiny import TINY
from hybridcore.models import (
    attention,
    grouping,
    pieces,
    slot_cache,
    slot_view,
    slots,
)
from hybridcore.models.compiled_steps import CompiledSteps
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.recorder import Recorder
from hybridcore.models.runner import Feed
from hybridcore.models.step_view import StepView
from hybridcore.models.trial import errors

UNSLOTTED = {"bloom", "mamba", "gpt_neo", "lfm2"}
SLOTTED = sorted(set(TINY) - UNSLOTTED)
EXACT = 1e-4  # of the spread of the logits
NEW_TOKENS = 24


class Play:
    """Does the same random things to a slot runner and a recomputing one."""

    def __init__(self, model, seed, rows=3, recorder=None):
        self.rng = random.Random(seed)
        self.fast = choose_runner(model, rows, recorder=recorder)
        self.slow = RecomputeRunner(model, rows)
        assert self.fast.kind == "slots", self.fast.reason
        self.rows = rows
        self.live = {}  # slot of the one -> slot of the other
        self.worst = 0.0
        self.reused = 0

    def tokens(self, count):
        return [self.rng.randrange(3, 60) for _ in range(count)]

    def run(self, turns):
        begin = self.tokens(25)
        for _ in range(turns):
            while len(self.live) < self.rows:
                self.enter(begin[: self.rng.randrange(26)] + self.tokens(3))
            chosen = self.rng.sample(sorted(self.live), self.rng.randrange(1, 4))
            drafts = [(s, self.tokens(self.rng.randrange(1, 7))) for s in chosen]
            self.read([(s, t, self.rng.randrange(1, len(t) + 1)) for s, t in drafts])
            for slot, tokens in drafts:
                self.back(slot, self.rng.randrange(len(tokens) + 1))
            if self.rng.random() < 0.25:
                slot = self.rng.choice(sorted(self.live))
                self.fast.release(slot)
                self.slow.release(self.live.pop(slot))
        return self.worst

    def enter(self, prompt):
        slot, kept = self.fast.acquire(prompt)
        other, _ = self.slow.acquire(prompt)
        self.live[slot] = other
        self.reused += kept
        if kept:
            self.slow.forward([Feed(other, prompt[:kept])])
        self.read([(slot, prompt[kept:], 1)])

    def read(self, reads):
        a = self.fast.forward([Feed(s, t, w) for s, t, w in reads])
        b = self.slow.forward([Feed(self.live[s], t, w) for s, t, w in reads])
        assert a.shape == b.shape
        assert a.dtype == torch.float32
        self.worst = max(self.worst, errors(a, b).max().item())

    def back(self, slot, count):
        length = self.fast.length(slot) - count
        self.fast.rollback(slot, length)
        self.slow.rollback(self.live[slot], length)


@pytest.mark.parametrize("short", [0, 3, 16])
@pytest.mark.parametrize("kind", SLOTTED)
def test_against_recompute(kind, short, tiny, monkeypatch):
    """``short`` is where attention changes from runs of rows to pieces of each."""
    for module in (attention, slot_view):
        monkeypatch.setattr(module, "SHORT", short)
    monkeypatch.setattr(pieces, "PIECE", 5)
    monkeypatch.setattr(slot_view, "_WASTE", {"cpu": 8})
    monkeypatch.setattr(slots, "_WORTH_COPYING", 4)
    monkeypatch.setattr(slots, "_CALL_COST", {"cpu": 8})
    monkeypatch.setattr(grouping, "CALL_TOKENS", 20)
    play = Play(tiny(kind), seed=kind)
    assert play.run(turns=20) < EXACT
    assert play.reused > 20


class Again(Recorder):
    """Whose recordings are run anew each time."""

    kind = "runs"
    worth, share, spare, reach = 2, 0.0, 3, 16

    def record(self, step):
        return step.run


RECORDED = ["llama", "mistral", "gemma3", "qwen3_moe", "gpt2"]
TRACED = sorted(
    {*SLOTTED} - {"qwen3_moe", "mixtral", "deepseek_v3", "gemma2", "gpt_oss"}
)


@pytest.mark.parametrize("kind", RECORDED)
def test_recorded_steps(kind, tiny, monkeypatch):
    monkeypatch.setattr(slot_cache, "GROWTH", 16)
    replayed = []
    aim = StepView.aim
    monkeypatch.setattr(
        StepView, "aim", lambda *given: (replayed.append(given), aim(*given))
    )
    play = Play(tiny(kind), seed=kind, recorder=Again())
    assert play.run(turns=40) < EXACT
    assert len(replayed) > 20
    assert play.reused > 20


@pytest.mark.parametrize("kind", TRACED)
def test_traced_steps(kind, tiny, monkeypatch):
    """What steps are compiled from, run as it was traced."""
    monkeypatch.setattr(torch, "compile", lambda traced, **options: traced)
    monkeypatch.setattr(CompiledSteps, "worth", 1)
    monkeypatch.setattr(slot_cache, "GROWTH", 16)
    play = Play(tiny(kind), seed=kind, recorder=CompiledSteps())
    assert play.run(turns=40) < EXACT
    assert play.fast.recorded > 1
    assert play.reused > 20


@pytest.mark.parametrize("kind", RECORDED)
def test_with_eager_attention(kind, tiny, monkeypatch):
    model = tiny(kind)
    before = model.config._attn_implementation
    model.set_attn_implementation("eager" if before == "sdpa" else "sdpa")
    try:
        assert Play(model, seed=2).run(turns=8) < EXACT
    finally:
        model.set_attn_implementation(before)


@pytest.mark.parametrize("kind", SLOTTED)
def test_against_generate(kind, tiny):
    """Greedy texts of ragged rows that take turns and read junk drafts."""
    model, rng = tiny(kind), random.Random(kind)
    prompts = [[rng.randrange(3, 60) for _ in range(n)] for n in (4, 13, 1)]
    runner = choose_runner(model, 3)
    texts = {runner.acquire(prompt)[0]: list(prompt) for prompt in prompts}
    while open_rows := [
        s for s, text in texts.items() if len(text) < len(prompts[s]) + NEW_TOKENS
    ]:
        chosen = rng.sample(open_rows, rng.randrange(1, len(open_rows) + 1))
        junk = {
            s: [rng.randrange(3, 60) for _ in range(rng.randrange(4))] for s in chosen
        }
        feeds = [
            Feed(s, texts[s][runner.length(s) :] + junk[s], len(junk[s]) + 1)
            for s in chosen
        ]
        logits = runner.forward(feeds).split([feed.wanted for feed in feeds])
        for slot, found in zip(chosen, logits, strict=True):
            # the junk is rejected, all of it
            runner.rollback(slot, len(texts[slot]))
            texts[slot].append(int(found[0].argmax()))
    for slot, prompt in enumerate(prompts):
        assert texts[slot] == generated(model, prompt)


def generated(model, prompt):
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=None,
        )
    return out[0].tolist()


@pytest.mark.parametrize("kind", ["gpt2", "opt", "llama"])
def test_rows_at_the_end_of_the_positions(kind, tiny):
    """Padding beside them must not stand where a model has no position."""
    play = Play(tiny(kind), seed=3)
    for length in (250, 255, 3):
        play.enter(play.tokens(length))
    play.read([(0, play.tokens(6), 1), (1, play.tokens(1), 1), (2, play.tokens(1), 1)])
    assert play.worst < EXACT


def test_texts_that_outgrow_their_rotary_embedding(tiny):
    """A row beyond the switch, and back, beside rows that are not."""
    play = Play(tiny("phi3_longrope"), seed=4)
    for length in (22, 30, 5):
        play.enter(play.tokens(length))
    for _ in range(4):
        play.read([(s, play.tokens(2), 2) for s in range(3)])
    play.back(0, 12)
    play.read([(s, play.tokens(1), 1) for s in range(3)])
    assert play.worst < EXACT


def test_a_draft_beyond_the_switch_changes_nothing_before_it(tiny):
    """Logits of one read are those of reading token by token, in both runners."""
    model = tiny("phi3_longrope")
    tokens = [3 + i * 11 % 50 for i in range(28)]
    expected = RecomputeRunner(model, 1)
    slot, _ = expected.acquire(tokens)
    single = [expected.forward([Feed(slot, [token])]) for token in tokens]
    for runner in (choose_runner(model, 1), RecomputeRunner(model, 1)):
        slot, _ = runner.acquire(tokens)
        runner.forward([Feed(slot, tokens[:20])])
        found = runner.forward([Feed(slot, tokens[20:], 8)])
        assert errors(found, torch.cat(single[20:])).max() < EXACT


def test_a_copied_prefix_keeps_its_rotary_embedding(tiny):
    play = Play(tiny("phi3_longrope"), seed=5)
    long = play.tokens(40)
    play.enter(long)
    play.enter(long[:20] + play.tokens(2))  # of the other kind: read again
    play.enter(long[:30] + play.tokens(2))
    assert play.reused >= 50
    assert play.worst < EXACT
