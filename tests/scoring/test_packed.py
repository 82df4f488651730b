"""Passages read as one tree: the same scores, every distinct prefix read once."""

import random
from dataclasses import replace

import pytest
import torch

from hybridcore import Route, Strategy, hookimpl
from hybridcore.bench.logits_watch import LogitsWatch
from hybridcore.models.tree_probe import choose_tree_reader
from hybridcore.scoring import ScoreRequest, gold, packed
from hybridcore.scoring.page import Page
from hybridcore.scoring.passage import passages
from hybridcore.scoring.trie import leaves, sheets

from .conftest import (
    VOCAB,
    WINDOW,
    as_scoring,
    mixed_requests,
    plain_logits,
    scores,
)


def as_tree(model, **fields):
    """A model that reads trees; reading anything else fails the test."""

    def forward(ids):
        raise AssertionError("read without the tree")

    base = as_scoring(model, **fields)
    return replace(base, forward=forward, tree=choose_tree_reader(model))


def fewest(requests):
    """Distinct non-empty prefixes of all inputs, counted one by one."""
    found = set()
    for request in requests:
        text = (*request.context, *request.continuation[:-1])[-WINDOW:]
        found |= {text[: i + 1] for i in range(len(text))}
    return len(found)


@pytest.fixture
def spied(large):
    """A tree model, and the number of tokens of each of its forwards."""
    model = as_tree(large)
    sizes, read = [], model.tree.read

    def counting(path, segments):
        sizes.append(sum(len(segment.tokens) for segment in segments))
        read(path, segments)

    model.tree.read = counting
    return model, sizes


@pytest.mark.parametrize("budget", [7, 40, 4096])
def test_scores_are_those_of_one_forward_for_each_request(large, monkeypatch, budget):
    monkeypatch.setitem(packed._BUDGET, "cpu", budget)
    requests = mixed_requests()
    found = scores(requests, llm=as_tree(large))
    for request, score in zip(requests, found, strict=True):
        law = plain_logits(large, request).log_softmax(-1)
        gold = torch.tensor(request.continuation)
        expected = law.gather(-1, gold[:, None]).sum().item()
        assert score.log_likelihood == pytest.approx(expected, abs=1e-4)
        assert score.is_greedy == bool((law.argmax(-1) == gold).all())


@pytest.mark.parametrize("budget", [7, 40, 4096])
def test_every_distinct_prefix_is_read_once(spied, monkeypatch, budget):
    monkeypatch.setitem(packed._BUDGET, "cpu", budget)
    model, sizes = spied
    requests = mixed_requests(3)
    found = scores(requests, llm=model)
    assert sum(sizes) == fewest(requests)
    assert max(sizes) <= budget
    assert sum(s.tally.llm_tokens_processed for s in found) == fewest(requests)


def test_what_is_reused_and_what_is_read_are_all_of_a_prompt(large):
    context = tuple(range(3, 15))
    requests = [ScoreRequest(context, (i, 20, 21)) for i in range(4)]
    tallies = [score.tally for score in scores(requests, llm=as_tree(large))]
    assert sum(t.llm_prefill_tokens for t in tallies) == 12
    assert sum(t.reused_prefix_tokens for t in tallies) == 36
    assert sum(t.llm_tokens_processed for t in tallies) == 12 + 4 * 2


def test_sheets_cover_the_tree_in_order():
    work = passages(mixed_requests(), range(30), WINDOW)
    tree = leaves(work)
    cut = list(sheets(tree, 25))
    assert [leaf for sheet in cut for leaf in sheet] == tree
    assert sorted(leaf.passage.tokens for leaf in tree) == [
        leaf.passage.tokens for leaf in tree
    ]
    for sheet in cut:
        assert len(sheet) == 1 or sum(len(leaf.fresh) for leaf in sheet) <= 25


class MemoryEnds:
    """Lets no forward of more than ``most`` tokens through."""

    def __init__(self, tree, most, error):
        self.read, self.most, self.error, self.failed = tree.read, most, error, 0

    def __call__(self, path, segments):
        if sum(len(segment.tokens) for segment in segments) > self.most:
            self.failed += 1
            raise self.error
        self.read(path, segments)


def test_out_of_memory_halves_the_forwards_and_loses_nothing(large, caplog):
    requests = mixed_requests(5)
    expected = [s.log_likelihood for s in scores(requests, llm=as_tree(large))]
    model = as_tree(large)
    error = RuntimeError("DefaultCPUAllocator: not enough memory: you tried ...")
    model.tree.read = ends = MemoryEnds(model.tree, 90, error)
    found = [s.log_likelihood for s in scores(requests, llm=model)]
    assert found == pytest.approx(expected, abs=1e-4)
    assert ends.failed >= 1
    assert "out of memory: reading at most" in caplog.text


def test_other_errors_and_a_forward_that_never_fits_are_raised(large):
    for most, error in ((90, RuntimeError("bad")), (0, torch.OutOfMemoryError("full"))):
        model = as_tree(large)
        model.tree.read = MemoryEnds(model.tree, most, error)
        with pytest.raises(RuntimeError, match=str(error)):
            scores(mixed_requests(5), llm=model)


def test_passages_longer_than_the_tree_can_read_are_read_alone(large):
    requests = mixed_requests(7)
    model = replace(as_tree(large), forward=as_scoring(large).forward)
    model.tree.longest = 12
    expected = [s.log_likelihood for s in scores(requests, llm=as_scoring(large))]
    found = [s.log_likelihood for s in scores(requests, llm=model)]
    assert found == pytest.approx(expected, abs=1e-4)
    assert any(len(x) > 12 for x in model.forward.read[0])


class Odd(Strategy):
    """Asks behind odd tokens."""

    @hookimpl
    def route_token(self, step):
        last = [step.tokens(i)[-1] for i in range(len(step))]
        return Route.ask_above(torch.tensor([t % 2.0 for t in last]), 0.5)


class Half(Strategy):
    """Mixes both laws."""

    @hookimpl
    def score(self, positions):
        laws = positions.q_logits.softmax(-1) + positions.p_logits.softmax(-1)
        return (laws / 2).log()


class Hidden(Strategy):
    """Asks where a hidden state begins with a positive number."""

    requires = frozenset({"slm", "slm_hidden"})

    @hookimpl
    def route_token(self, step):
        return Route.ask_above(step.hidden[:, 0], 0.0)


def hidden_of(model):
    def forward(ids):
        with torch.no_grad():
            output = model(ids, output_hidden_states=True)
        return output.logits, output.hidden_states[-1]

    return forward


@pytest.mark.parametrize("kind", [Odd, Half, Hidden])
def test_the_strategy_s_law_is_the_same_on_trees(small, large, kind):
    requests = mixed_requests(9)
    slm = as_scoring(small, forward_hidden=hidden_of(small))
    alone = scores(requests, kind(), slm, as_scoring(large))
    trees = scores(
        requests,
        kind(),
        replace(as_tree(small), forward_hidden=hidden_of(small)),
        as_tree(large),
    )
    for one, other in zip(alone, trees, strict=True):
        assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-4)
        assert (one.is_greedy, one.from_llm) == (other.is_greedy, other.from_llm)


def test_the_head_speaks_a_few_positions_at_a_time(large, monkeypatch):
    monkeypatch.setattr(gold, "PIECE", 5 * VOCAB)
    monkeypatch.setattr(gold, "LEAST", 1)
    model = as_tree(large)
    spoken, logits = [], model.tree.logits

    def counting(hidden):
        spoken.append(len(hidden))
        return logits(hidden)

    model.tree.logits = counting
    draw = random.Random(0)
    text = [draw.randrange(VOCAB) for _ in range(WINDOW)]
    scores([ScoreRequest(text[:1], text[1:])], llm=model)
    assert max(spoken) == 5
    assert sum(spoken) == WINDOW - 1


def test_one_piece_of_logits_and_a_few_laws_are_alive_at_once(monkeypatch):
    monkeypatch.setattr(gold, "PIECE", 40 * 1000)
    monkeypatch.setattr(gold, "LEAST", 1)
    monkeypatch.setattr(gold, "LAW", 4 * 1000)
    hidden, head = torch.randn(150, 8), torch.nn.Parameter(torch.randn(8, 1000))
    page = Page(
        passages=[],
        rows=[],
        fresh=[],
        speak=lambda chosen: hidden[chosen] @ head.detach(),
        width=1000,
        device=torch.device("cpu"),
    )
    rows, tokens = [*range(150), 7, 149], [*range(150), 3, 11]
    with LogitsWatch([1000], [torch.nn.ParameterList([head])]) as watch:
        values, hits = gold.gold_scores(page, rows, tokens)
    # the law of before is let go when the next one is there
    assert watch.peak <= (40 + 2 * 4) * 1000 * 4
    whole = (hidden @ head.detach()).log_softmax(-1)
    torch.testing.assert_close(values, whole[rows, tokens])
    best = whole.argmax(-1)[rows]
    assert torch.equal(hits, best == torch.tensor(tokens))


def test_a_wide_head_is_read_for_enough_positions():
    assert gold.piece_of(49_152) == 85
    assert gold.piece_of(150_000) == 48
