"""Signals against their formulas."""

import math

import pytest
import torch

from hybridcore import signals

ALL = [
    signals.least_confidence,
    signals.entropy,
    signals.margin,
    signals.logit_margin,
    signals.top_k_entropy,
    signals.normalised_entropy,
]


@pytest.fixture
def logits():
    return torch.randn(5, 17, generator=torch.Generator().manual_seed(1)) * 3


def test_formulas(logits):
    q = logits.double().softmax(-1)
    top = q.sort(-1, descending=True).values
    z = logits.sort(-1, descending=True).values
    h = -(q * q.log()).sum(-1)
    ten = top[:, :10] / top[:, :10].sum(-1, keepdim=True)
    expected = {
        signals.least_confidence: 1 - top[:, 0],
        signals.entropy: h,
        signals.margin: top[:, 0] - top[:, 1],
        signals.logit_margin: z[:, 0] - z[:, 1],
        signals.top_k_entropy: -(ten * ten.log()).sum(-1),
        signals.normalised_entropy: h / math.log(17),
    }
    for signal, value in expected.items():
        torch.testing.assert_close(
            signal(logits).double(), value.double(), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("signal", ALL)
def test_shift_invariant_and_float32(signal, logits):
    assert signal(logits.bfloat16()).dtype == torch.float32
    torch.testing.assert_close(
        signal(logits + 7.0), signal(logits), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("signal", ALL)
def test_masked_tokens_do_not_matter(signal, logits):
    padded = torch.cat([logits, torch.full((5, 3), -torch.inf)], -1)
    torch.testing.assert_close(signal(padded), signal(logits), rtol=1e-5, atol=1e-6)


def test_extremes():
    certain = torch.full((1, 4), -torch.inf)
    certain[0, 2] = 1.0
    assert signals.entropy(certain).item() == 0.0
    assert signals.least_confidence(certain).item() == 0.0
    flat = torch.zeros(1, 4)
    assert signals.entropy(flat).item() == pytest.approx(math.log(4))
    assert signals.margin(flat).item() == 0.0


def test_nan_stays_nan():
    broken = torch.tensor([[0.0, float("nan")]])
    assert signals.entropy(broken).isnan().all()
    assert signals.least_confidence(broken).isnan().all()
