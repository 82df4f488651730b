"""Laws against transformers' warpers, formulas, and frequencies."""

import pytest
import torch
from transformers.generation import logits_process as hf

from hybridcore import laws
from hybridcore.exchange import Block


@pytest.fixture
def logits():
    return torch.randn(6, 31, generator=torch.Generator().manual_seed(2)) * 2


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.6, 0, 1.0), (1.0, 5, 1.0), (1.3, 0, 0.8), (0.7, 7, 0.5)],
)
def test_warp_is_transformers(logits, temperature, top_k, top_p):
    scores = hf.TemperatureLogitsWarper(temperature)(None, logits)
    if top_k:
        scores = hf.TopKLogitsWarper(top_k)(None, scores)
    if top_p < 1:
        scores = hf.TopPLogitsWarper(top_p)(None, scores)
    got = laws.warp(logits, temperature, top_k, top_p)
    torch.testing.assert_close(got, scores.softmax(-1))


def test_temperature_zero_takes_the_lowest_id_on_ties():
    law = laws.warp(torch.tensor([[1.0, 3.0, 3.0]]), temperature=0.0)
    assert law.tolist() == [[0.0, 1.0, 0.0]]


@pytest.mark.parametrize("size", [3, 511, 8192, 8193, 9000, 10239])
def test_best_is_the_lowest_id_of_the_largest_score(size):
    scores = torch.randint(0, 3, (40, size), generator=torch.Generator().manual_seed(1))
    scores = scores.float()
    for row in range(10):
        scores[row] = 0.0
        scores[row, -1 - row % size] = 5.0
    scores[20, :] = -torch.inf
    scores[21, : size // 2] = -torch.inf
    expected = [row.index(max(row)) for row in scores.tolist()]
    assert laws.best(scores).tolist() == expected
    assert laws.best(scores.view(2, 20, size)).flatten().tolist() == expected
    assert laws.best(scores[3]).item() == expected[3]


def test_sample_inverts_the_cdf():
    law = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0]])
    drawn = [
        laws.sample(law, torch.tensor([u], dtype=torch.float64)).item()
        for u in (0.0, 0.2499, 0.25, 0.9999999999)
    ]
    assert drawn == [1, 1, 3, 3]


@pytest.mark.parametrize("mass", [0.2, 1.0, 7.0])
def test_sample_needs_no_normalised_law(mass):
    law = torch.tensor([[0.25, 0.5, 0.25]]) * mass
    drawn = [
        laws.draw(law, [number]).item() for number in (0.0, 0.2, 0.3, 0.7, 0.8, 0.99)
    ]
    assert drawn == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sample_leaves_the_law_as_it_is(dtype):
    law = torch.tensor([[0.25, 0.5, 0.25]], dtype=dtype)
    laws.draw(law, [0.5])
    assert law.tolist() == [[0.25, 0.5, 0.25]]


def test_sample_never_draws_a_token_without_mass():
    law = torch.tensor([[0.5, 0.5, 0.0, 0.0]]).expand(1000, 4)
    uniform = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1]
    uniform[-1] = 1.0 - 2**-53
    assert laws.sample(law, uniform).max().item() == 1


def test_residual():
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.6, 0.2])
    assert laws.residual(p, q).tolist() == [1.0, 0.0, 0.0]
    assert torch.equal(laws.residual(p, p), p)


def test_accept_while():
    good = torch.tensor([[1, 1, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]).bool()
    assert laws.accept_while(good).tolist() == [2, 0, 4]


def block(drafted, q, p, uniform, length=None):
    drafted = torch.tensor(drafted)
    length = torch.tensor(length or [drafted.shape[1]] * len(drafted))
    return Block(
        drafted, length, q, p, None, p, torch.zeros(len(drafted)).bool(),
        torch.tensor(uniform, dtype=torch.float64), [None] * len(drafted),
    )  # fmt: skip


def test_speculative_sample_accepts_and_corrects_by_the_formula():
    q = torch.tensor([[[0.5, 0.5], [0.5, 0.5], [0.0, 0.0]]]).repeat(2, 1, 1)
    p = torch.tensor([[[0.9, 0.1], [0.25, 0.75], [0.3, 0.7]]]).repeat(2, 1, 1)
    verdict = laws.speculative_sample(
        block([[0, 0], [0, 0]], q, p, [[0.99, 0.49], [0.99, 0.51]])
    )
    assert verdict.accepted.tolist() == [2, 1]
    expected = torch.tensor([[0.3, 0.7], [0.0, 1.0]])
    torch.testing.assert_close(verdict.next_law, expected)


def test_speculative_sample_stops_at_the_length_of_a_ragged_row():
    law = torch.full((2, 3, 2), 0.5)
    verdict = laws.speculative_sample(
        block([[0, 1], [0, 0]], law, law, [[0.1, 0.1], [0.1, 0.1]], length=[2, 1])
    )
    assert verdict.accepted.tolist() == [2, 1]


def test_one_round_follows_the_target_law():
    generator = torch.Generator().manual_seed(3)
    n, size = 40_000, 6
    q = torch.randn(size, generator=generator).softmax(-1)
    p = torch.randn(size, generator=generator).softmax(-1)
    drafted = torch.multinomial(q, n, True, generator=generator)[:, None]
    laws_q = torch.stack([q, torch.zeros(size)]).expand(n, 2, size)
    laws_p = p.expand(n, 2, size)
    uniform = torch.rand(n, 1, generator=generator, dtype=torch.float64)
    verdict = laws.speculative_sample(
        Block(drafted, torch.ones(n, dtype=torch.long), laws_q, laws_p, None, laws_p,
              torch.zeros(n).bool(), uniform, [None] * n)
    )  # fmt: skip
    fresh = laws.sample(
        verdict.next_law, torch.rand(n, generator=generator, dtype=torch.float64)
    )
    first = torch.where(verdict.accepted == 1, drafted[:, 0], fresh)
    seen = torch.bincount(first, minlength=size) / n
    torch.testing.assert_close(seen, p, atol=0.01, rtol=0)
    rate = torch.minimum(p, q).sum().item()
    assert verdict.accepted.float().mean().item() == pytest.approx(rate, abs=0.01)
