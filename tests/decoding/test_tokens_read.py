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

    def __init__(self, make, model, slots=1):
        self.runner, self.tokens = make(model, slots), 0
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


def test_split_calls_are_one_forward_and_prompts_count_once():
    """The same requests, read whole, in parts of four tokens, and again and again."""
    llm = tiny_model("llama")
    slm, law = perturbed(llm, 0.1), WarpLaw(0.0)
    prompt = list(range(3, 33))
    tallies = []
    for make, most in ((choose_runner, 4096), (choose_runner, 4), (RecomputeRunner, 0)):
        small, large = make(slm, 1), make(llm, 1)
        if most:
            small._reader.most = large._reader.most = most
        before = large.forwards
        vocabulary = SharedVocabulary(64, 64)
        strategy = Dispatcher(Speculative(num_drafts=3))
        engine = Engine(small, large, strategy, vocabulary, 1)
        with torch.inference_mode():
            (answer,) = engine.run([GenerationRequest(prompt, 12, law, law)])
        tallies.append(answer.tally)
        if most == 4:
            assert large.forwards - before > answer.tally.llm_forwards + 5
    assert len({tally.llm_forwards for tally in tallies}) == 1
    assert len({tally.slm_forwards for tally in tallies}) == 1
    assert {tally.llm_prefill_tokens for tally in tallies} == {30}
    assert tallies[0].llm_tokens_processed == tallies[1].llm_tokens_processed
    assert tallies[2].llm_tokens_processed > 3 * tallies[0].llm_tokens_processed


def test_a_beginning_that_rows_have_in_common_is_read_and_counted_once():
    llm = tiny_model("llama")
    slm = perturbed(llm, 0.1)
    small, large = Counted(choose_runner, slm, 3), Counted(choose_runner, llm, 3)
    common, law = [3 + i % 50 for i in range(60)], WarpLaw(0.0)
    prompts = [[*common, 5, 9], [*common, 7], [*common, 8, 3, 4]]
    strategy = Dispatcher(Speculative(num_drafts=3))
    engine = Engine(small.runner, large.runner, strategy, SharedVocabulary(64, 64), 3)
    requests = [
        GenerationRequest(prompt, 6, law, law, seed=i, key=i)
        for i, prompt in enumerate(prompts)
    ]
    with torch.inference_mode():
        tallies = [answer.tally for answer in engine.run(requests)]
    fresh = 60 + 2 + 1 + 3
    assert sum(t.llm_prefill_tokens for t in tallies) == fresh
    # both models, for two of the three
    assert sum(t.reused_prefix_tokens for t in tallies) == 2 * 2 * 60
    assert all(t.llm_prefill_tokens <= t.llm_tokens_processed for t in tallies)
    assert sum(t.llm_tokens_processed for t in tallies) < fresh + 3 * 30
