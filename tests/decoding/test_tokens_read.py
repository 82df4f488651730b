"""Tokens processed are those that a model read, whichever way it reads."""

import pytest
import torch
from hybridlm_strategy_speculative import Speculative

from hybridcore.conformance.tiny import perturbed, tiny_model
from hybridcore.decoding.engine import Engine
from hybridcore.decoding.reading import SharedVocabulary
from hybridcore.decoding.request import GenerationRequest
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.dispatch import Dispatcher
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner


class Counted:
    """A runner, and the tokens that its model's embedding really met."""

    def __init__(self, make, model):
        self.runner, self.tokens = make(model, 1), 0
        model.get_input_embeddings().register_forward_pre_hook(self.count)

    def count(self, module, inputs):
        self.tokens += inputs[0].numel()


@pytest.mark.parametrize("make", [choose_runner, RecomputeRunner])
@pytest.mark.parametrize("kind", ["llama", "phi3_longrope"])
def test_what_is_processed_is_what_was_read(kind, make):
    llm = tiny_model(kind)
    slm = perturbed(llm, 0.1)
    small, large = Counted(make, slm), Counted(make, llm)
    law = WarpLaw(0.0)
    engine = Engine(
        small.runner,
        large.runner,
        Dispatcher(Speculative(num_drafts=3)),
        SharedVocabulary(64, 64),
        1,
    )
    prompts = [[5, 9, 11], [5, 9, 11, 3, 40]]
    requests = [
        GenerationRequest(prompt, 24, law, law, seed=i, key=i)
        for i, prompt in enumerate(prompts)
    ]
    with torch.inference_mode():
        answers = list(engine.run(requests))
    assert sum(a.tally.slm_tokens_processed for a in answers) == small.tokens
    assert sum(a.tally.llm_tokens_processed for a in answers) == large.tokens
    fresh = sum(len(prompt) + 24 for prompt in prompts)
    if make is RecomputeRunner or kind == "phi3_longrope":
        assert large.tokens > 1.2 * fresh
