"""Counts add up, and ratios are read off them."""

from hybridcore.tally import Tally


def judged(*rounds):
    tally = Tally(requests=1)
    for drafted, accepted in rounds:
        tally.count_verdict(drafted, accepted)
    return tally


def test_verdicts_and_their_identities():
    tally = judged((4, 4), (4, 0), (2, 1), (4, 4))
    counts = tally.as_dict()
    assert counts["acceptance_histogram"] == [1, 1, 0, 0, 2]
    assert counts["accepted_per_pos"] == [3, 2, 2, 2]
    assert sum(counts["acceptance_histogram"]) == counts["num_spec_steps"] == 4
    assert counts["num_accepted_draft_tokens"] == 9 == sum(counts["accepted_per_pos"])
    assert counts["draft_acceptance_rate"] == 9 / 14
    assert counts["mean_acceptance_length"] == 1 + 9 / 4


def test_sum_is_field_by_field():
    total = Tally.total([judged((4, 4)), judged((2, 0), (2, 1)), Tally(tokens_out=3)])
    assert total.requests == 2
    assert total.tokens_out == 3
    assert total.acceptance_histogram == [1, 1, 0, 0, 1]
    assert total.num_draft_tokens == 8


def test_nothing_measured_is_none_not_zero():
    counts = Tally().as_dict()
    assert counts["llm_token_fraction"] is None
    assert counts["draft_acceptance_rate"] is None
    assert counts["mean_acceptance_length"] is None
