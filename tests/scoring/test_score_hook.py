"""A ``score`` hook: its law against the formula, and what happens around it."""

import dataclasses

import pytest
import torch

from hybridcore import Positions, Route, Step, Strategy, Verdict, hookimpl, option
from hybridcore.errors import HookError, StrategyError
from hybridcore.models.tree_probe import choose_tree_reader
from hybridcore.scoring import gold, packed

from .conftest import VOCAB, as_scoring, mixed_requests, plain_logits, scores


class Mixture(Strategy):
    """``w q + (1 - w) p``, an ensemble."""

    weight: float = option(0.3)

    @hookimpl
    def score(self, positions: Positions) -> torch.Tensor:
        q, p = positions.q_logits.softmax(-1), positions.p_logits.softmax(-1)
        return (self.weight * q + (1 - self.weight) * p).log()

    @hookimpl
    def verify(self, block) -> Verdict:
        return Verdict(block.length)


@pytest.mark.parametrize("piece", [None, 7 * VOCAB])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_mixture_as_the_formula(small, large, batch_size, piece, monkeypatch):
    if piece:
        monkeypatch.setattr(gold, "PIECE", piece)
        monkeypatch.setattr(gold, "LEAST", 1)
    requests = mixed_requests()
    models = as_scoring(small), as_scoring(large)
    found = scores(requests, Mixture(), *models, batch_size=batch_size)
    for answer, request in zip(found, requests, strict=True):
        q, p = (plain_logits(m, request).softmax(-1) for m in (small, large))
        law = 0.3 * q + 0.7 * p
        token = torch.tensor(request.continuation)
        expected = law.log().gather(-1, token[:, None]).sum()
        assert answer.log_likelihood == pytest.approx(float(expected), abs=5e-5)
        assert answer.is_greedy == bool((law.argmax(-1) == token).all())
        assert answer.from_llm is None
        assert answer.tally.scored_tokens == len(request.continuation)


class Elsewhere:
    """A tree reader that says it is on another device."""

    def __init__(self, reader):
        self._reader = reader
        self.device = torch.device("meta")

    def __getattr__(self, name):
        return getattr(self._reader, name)


def trees(model, how):
    """Tree readers of a small and a large model, by how they differ."""
    tree = choose_tree_reader(model)
    if how == "one model":
        return tree, tree
    other = choose_tree_reader(model)
    return other, Elsewhere(tree) if how == "two devices" else tree


@pytest.mark.parametrize("how", ["one model", "two models", "two devices"])
def test_sheets_of_both_models_hold_the_same(large, how, monkeypatch):
    monkeypatch.setitem(packed._BUDGET, "cpu", 9)
    requests = mixed_requests()
    models = [as_scoring(large, tree=tree) for tree in trees(large, how)]
    found = scores(requests, Mixture(), *models)
    alone = scores(requests, llm=as_scoring(large))
    assert [a.log_likelihood for a in found] == pytest.approx(
        [a.log_likelihood for a in alone], abs=1e-4
    )


def test_positions_name_gold_and_request(small, large):
    seen = []

    class Watches(Mixture):
        @hookimpl
        def score(self, positions: Positions) -> torch.Tensor:
            seen.append(positions)
            return positions.p_logits.log_softmax(-1)

    requests = mixed_requests()
    found = scores(requests, Watches(), as_scoring(small), as_scoring(large))
    told: dict[int, list[int]] = {}
    for positions in seen:
        pairs = zip(positions.row.tolist(), positions.gold.tolist(), strict=True)
        for row, token in pairs:
            told.setdefault(row, []).append(token)
    assert told == {i: list(r.continuation) for i, r in enumerate(requests)}
    alone = scores(requests, llm=as_scoring(large))
    assert [a.log_likelihood for a in found] == pytest.approx(
        [a.log_likelihood for a in alone], abs=3e-5
    )


class Declines(Strategy):
    @hookimpl
    def score(self, positions: Positions) -> None:
        return None

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route(torch.zeros_like(step.pending))


class DeclinesLossless(Declines):
    lossless = True


class DeclinesAndVerifies(Declines):
    @hookimpl
    def verify(self, block) -> Verdict:
        return Verdict(block.length)


@pytest.mark.parametrize("strategy", [Declines(), DeclinesLossless()])
def test_a_hook_that_declines_leaves_it_to_the_core(small, large, strategy):
    requests = mixed_requests()
    found = scores(requests, strategy, as_scoring(small), as_scoring(large))
    alone = scores(requests, llm=as_scoring(large if strategy.lossless else small))
    assert [a.log_likelihood for a in found] == [a.log_likelihood for a in alone]
    # the batch that it declined was read, and is counted
    read = sum(a.tally.llm_tokens_processed for a in found)
    base = sum(a.tally.llm_tokens_processed for a in alone)
    assert read > (base if strategy.lossless else 0)


def test_a_hook_that_declines_a_lossy_verdict_is_refused(small, large):
    with pytest.raises(StrategyError) as refusal:
        scores(
            mixed_requests(),
            DeclinesAndVerifies(),
            as_scoring(small),
            as_scoring(large),
        )
    assert "its score hook declined" in str(refusal.value)


def test_declining_after_an_answer_is_an_error(small, large):
    answers = iter([True])

    class Fickle(Mixture):
        @hookimpl
        def score(self, positions: Positions) -> torch.Tensor | None:
            return positions.p_logits.log_softmax(-1) if next(answers, False) else None

    with pytest.raises(HookError) as refusal:
        scores(mixed_requests(), Fickle(), as_scoring(small), as_scoring(large))
    assert "got None after a law" in str(refusal.value)


def test_both_models_are_counted(small, large):
    requests = mixed_requests()
    found = scores(requests, Mixture(), as_scoring(small), as_scoring(large))
    for answer in found:
        counts = dataclasses.asdict(answer.tally)
        assert counts["slm_forwards"] == counts["llm_forwards"]
        assert counts["slm_tokens_processed"] == counts["llm_tokens_processed"]
        assert counts["llm_requests_skipped"] == 0
    assert sum(answer.tally.llm_forwards for answer in found) > 10
