"""What ``verify`` sees, entry by entry, against the tables it was made from."""

import pytest
import torch
from transformers import LogitsProcessorList
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from hybridcore import Block, Draft, Route, Strategy, hookimpl, laws
from hybridcore.decoding.generation_law import ProcessedLaw
from hybridcore.decoding.step_law import WarpLaw

PROMPTS = [[1], [2, 3], [0, 5, 1, 1], [7], [4, 4], [6, 2, 0], [3]]
BLOCKS = []


class Watching(Strategy):
    """Asks at some positions, checks at others, keeps every block it is shown."""

    @hookimpl
    def start(self, request):
        return list(request.prompt)

    @hookimpl
    def observe(self, outcome):
        for ids, tokens in zip(outcome.states, outcome.tokens, strict=True):
            ids.extend(tokens)

    @hookimpl
    def route_token(self, step):
        place = torch.tensor([len(step.tokens(i)) for i in range(len(step))]) % 5
        return Route(torch.where(place == 3, Route.ASK, (place == 1).long()))

    @hookimpl
    def verify(self, block):
        assert isinstance(block, Block)
        BLOCKS.append((block, [list(ids) for ids in block.states]))
        return laws.speculative_sample(block)


class WatchingDrafts(Watching):
    """Drafts none to three tokens in one go, as points or from a flat law."""

    points: bool = False

    @hookimpl
    def draft(self, step):
        last = torch.tensor([step.tokens(i)[-1] for i in range(len(step))])
        tokens = (last[:, None] + torch.arange(1, 4)) % 8
        law = None if self.points else drafting_law(tokens)
        return Draft(tokens, torch.minimum(last % 4, step.budget), law)


class WithoutSlm(WatchingDrafts):
    """The same without an SLM."""

    requires = frozenset()


def one_hot(tokens):
    return torch.nn.functional.one_hot(torch.as_tensor(tokens), 8).float()


def drafting_law(tokens):
    """Half on the token, half on all: another law for each."""
    return 0.5 * one_hot(tokens) + 0.5 / 8


def rows():
    """Each row of each block: block, index, drafts, and the id before each place."""
    for block, committed in BLOCKS:
        for i, ids in enumerate(committed):
            drafted = block.drafted[i, : block.length[i]].tolist()
            yield block, i, drafted, [ids[-1], *drafted]


@pytest.fixture(params=[0.0, 0.8], ids=["greedy", "sampled"])
def law(request):
    return WarpLaw(request.param)


def run(pair, strategy, law):
    BLOCKS.clear()
    answers = pair.run(strategy, PROMPTS, 17, batch=3, law=law, price=2)
    lengths = {int(n) for block, _ in BLOCKS for n in block.length}
    assert len(lengths) > 2
    return answers


@pytest.mark.parametrize("strategy", [Watching(), WatchingDrafts(), WithoutSlm()])
def test_the_llms_side(pair, strategy, law):
    run(pair, strategy, law)
    for block, i, drafted, before in rows():
        length = len(drafted)
        assert torch.equal(block.p_logits[i, : length + 1], pair.p[before])
        torch.testing.assert_close(block.p[i, : length + 1], law(None, pair.p[before]))
        for behind in (block.p[i, length + 1 :], block.p_logits[i, length + 1 :]):
            assert not behind.any()
        assert not block.drafted[i, length:].any()
        assert not block.uniform[i, length:].any()
        used = block.uniform[i, :length]
        assert ((used > 0) & (used < 1)).all()


def test_the_slms_side_of_its_own_tokens(pair, law):
    run(pair, Watching(), law)
    asked = 0
    for block, i, drafted, before in rows():
        known = len(drafted) + int(block.asked[i])
        asked += int(block.asked[i])
        # where it did not ask, it was not read behind its last draft
        before = before[:known]
        assert torch.equal(block.q_logits[i, :known], pair.q[before])
        torch.testing.assert_close(block.q[i, :known], law(None, pair.q[before]))
        assert block.q_logits[i, known:].isnan().all()
        assert not block.q[i, known:].any()
    assert asked > 3


@pytest.mark.parametrize("points", [False, True])
def test_the_slms_side_of_tokens_of_a_hook(pair, law, points):
    run(pair, WatchingDrafts(points=points), law)
    mixed = 0
    for block, i, drafted, before in rows():
        asked, length = bool(block.asked[i]), len(drafted)
        for k, token in enumerate(drafted):
            expected = one_hot(token) if points else drafting_law(token)
            assert torch.equal(block.q[i, k], expected)
        numbers = ~block.q_logits[i].isnan().any(-1)
        # several tokens in one go stand on one read: that of the first
        for k in numbers.nonzero()[:, 0].tolist():
            assert torch.equal(block.q_logits[i, k], pair.q[before[k]])
        assert bool(numbers[length]) == asked
        if length:
            assert numbers[0]
        if asked:
            torch.testing.assert_close(
                block.q[i, length], law(None, pair.q[before[length]][None])[0]
            )
        mixed += bool(numbers[:length].any() and not numbers[:length].all())
    assert mixed > 3


def test_one_row_does_not_hide_the_logits_of_another(pair):
    run(pair, WatchingDrafts(), WarpLaw(0.0))
    whole = partial = 0
    for block, _ in BLOCKS:
        missing = block.q_logits.isnan().any(-1)
        inside = block.inside()
        per_row = (missing[:, :-1] & inside).any(-1)
        whole += int((~per_row & (block.length > 0)).sum()) if per_row.any() else 0
        partial += int(per_row.sum())
    assert whole > 0
    assert partial > 0


def test_without_an_slm_there_are_no_logits_of_it(pair):
    run(pair, WithoutSlm(), WarpLaw(0.0))
    assert all(block.q_logits is None for block, _ in BLOCKS)
    for block, i, drafted, _ in rows():
        # it asked, but there was nobody whose law could stand there
        assert not block.q[i, len(drafted) :].any()


def test_rejections_follow_the_uniform_numbers(pair):
    run(pair, Watching(), WarpLaw(1.0))
    for block, i, drafted, _ in rows():
        verdict = laws.speculative_sample(block)
        accepted = 0
        for k, token in enumerate(drafted):
            p, q = block.p[i, k, token], block.q[i, k, token]
            if block.uniform[i, k] >= p / q:
                break
            accepted += 1
        assert int(verdict.accepted[i]) == accepted


PENALTY = ProcessedLaw(
    LogitsProcessorList([RepetitionPenaltyLogitsProcessor(1.8)]), do_sample=True
)


def penalised(before, table):
    """The law behind ``before``, as transformers' own processor has it."""
    logits = table[before[-1]][None].clone()
    processor = RepetitionPenaltyLogitsProcessor(1.8)
    return processor(torch.tensor([before]), logits)[0].softmax(-1)


@pytest.mark.parametrize("strategy", [Watching(), WatchingDrafts()])
def test_laws_that_read_what_stands_before_them(pair, strategy):
    run(pair, strategy, PENALTY)
    asked = 0
    for block, committed in BLOCKS:
        for i, ids in enumerate(committed):
            drafted = block.drafted[i, : block.length[i]].tolist()
            for k in range(len(drafted) + 1):
                before = [*ids, *drafted[:k]]
                own = penalised(before, pair.p)
                torch.testing.assert_close(block.p[i, k], own)
            if block.asked[i]:
                asked += bool(drafted)
                own = penalised(before, pair.q)
                torch.testing.assert_close(block.q[i, len(drafted)], own)
    assert asked > 1
