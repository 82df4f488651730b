"""Laws made late and together are those made at once and one by one."""

import pytest
import torch
from transformers import LogitsProcessorList
from transformers.generation import logits_process as hf

from hybridcore import laws
from hybridcore.decoding.generation_law import ProcessedLaw
from hybridcore.decoding.step_law import PositionLaws, WarpLaw

GREEDY, WARM = WarpLaw(0.0), WarpLaw(0.8, top_k=5)
PENALTY = ProcessedLaw(
    LogitsProcessorList([hf.RepetitionPenaltyLogitsProcessor(1.7)]), do_sample=False
)
SAMPLED = ProcessedLaw(
    LogitsProcessorList([hf.RepetitionPenaltyLogitsProcessor(1.7)]), do_sample=True
)
MIXES = {
    "greedy": [GREEDY] * 6,
    "sampled": [WARM] * 6,
    "mixed": [GREEDY, WARM, PENALTY, SAMPLED, WARM, GREEDY],
    "greedy of two kinds": [GREEDY, PENALTY, PENALTY, GREEDY, GREEDY, PENALTY],
}


@pytest.fixture
def logits():
    return torch.randn(6, 9, generator=torch.Generator().manual_seed(4)) * 2


def prefix(i):
    return [i, i + 1, 0]


@pytest.mark.parametrize("makers", MIXES.values(), ids=MIXES)
def test_each_position_has_the_law_of_its_own_row(logits, makers):
    untouched = logits.clone()
    late = PositionLaws(makers, prefix, logits)
    for i, maker in enumerate(makers):
        alone = PositionLaws([maker], lambda _, i=i: prefix(i), logits[i : i + 1])
        own = alone.law[0]
        torch.testing.assert_close(late.law[i], own)
        assert late.certain(i) == maker.greedy == bool((own == 1).any())
    assert late.law is late.law
    assert torch.equal(logits, untouched)


@pytest.mark.parametrize("makers", MIXES.values(), ids=MIXES)
def test_draws_invert_the_laws_whether_they_were_made_or_not(logits, makers):
    numbers = [0.0, 0.1, 0.4, 0.6, 0.9, 1 - 2**-53]
    late = PositionLaws(makers, prefix, logits)
    drawn = late.draw(numbers)
    uniform = torch.tensor(numbers, dtype=torch.float64)
    assert torch.equal(drawn, laws.sample(late.law, uniform))
    assert torch.equal(drawn, late.draw(numbers))


def test_ties_go_to_the_lowest_id():
    late = PositionLaws([GREEDY] * 2, prefix, torch.tensor([[1.0, 2, 2], [3, 3, 3]]))
    assert late.draw([0.9, 0.9]).tolist() == [1, 0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_largest_logit_shows_what_is_broken(logits, bad):
    logits[2, 5] = bad
    logits[4, 1] = -torch.inf
    best = PositionLaws([GREEDY] * 6, prefix, logits).best
    assert torch.isfinite(best).tolist() == [i != 2 for i in range(6)]
