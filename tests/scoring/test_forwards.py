"""Models that return more logits, or fewer, than there are ids."""

import pytest
import torch

from .conftest import WINDOW, as_scoring, mixed_requests, scores


def test_last_logits_alone_are_enough(large):
    requests = mixed_requests()
    kept = []

    def forward_last(ids, count):
        kept.append(count < ids.shape[1])
        with torch.no_grad():
            return large(ids, logits_to_keep=count).logits

    found = scores(requests, llm=as_scoring(large, forward_last=forward_last))
    whole = scores(requests, llm=as_scoring(large))
    assert any(kept)
    assert [a.log_likelihood for a in found] == pytest.approx(
        [a.log_likelihood for a in whole], abs=3e-5
    )


def test_virtual_tokens_in_front_are_passed_over(large):
    requests = mixed_requests()
    model = as_scoring(large)

    def forward(ids):
        logits = model.forward(ids)
        return torch.cat([torch.zeros_like(logits[:, :3]), logits], dim=1)

    found = scores(requests, llm=as_scoring(large))
    padded = as_scoring(large)
    padded = type(padded)(forward, padded.vocab_size, WINDOW, padded.device)
    assert scores(requests, llm=padded) == found
