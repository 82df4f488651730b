"""On the embedded pair, in float32: greedy text is that of ``generate``."""

import json

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty
from transformers import AutoModelForCausalLM, AutoTokenizer

from hybridcore.decoding.engine import Engine
from hybridcore.decoding.generation_law import GenerationLaws
from hybridcore.decoding.reading import SharedVocabulary
from hybridcore.decoding.request import GenerationRequest
from hybridcore.demo import model_path, tasks_path
from hybridcore.dispatch import Dispatcher
from hybridcore.models.probe import choose_runner

TOKENS = 20
DOCUMENTS = 6


class Demo:
    """Both models, a few prompts, and what ``generate`` says of them."""

    def __init__(self):
        self.models = [
            AutoModelForCausalLM.from_pretrained(
                model_path(name), dtype=torch.float32
            ).eval()
            for name in ("demo-slm", "demo-llm")
        ]
        self.tokenizer = AutoTokenizer.from_pretrained(model_path("demo-llm"))
        lines = (
            (tasks_path().parent / "data/generation_hard.jsonl")
            .read_text()
            .splitlines()
        )
        rows = [json.loads(line) for line in lines[:DOCUMENTS]]
        # deep in the sums, where the two disagree, and near the end of the answer
        texts = [
            row["prompt"] + (" " + row["solution"])[: -9 - 7 * i]
            for i, row in enumerate(rows)
        ]
        self.prompts = [self.tokenizer.encode(text) for text in texts]
        self.runners = [choose_runner(model, 8) for model in self.models]
        self.laws = [GenerationLaws(model) for model in self.models]
        self.eos = self.models[1].generation_config.eos_token_id
        self.expected = [self.generated(prompt) for prompt in self.prompts]

    def generated(self, prompt):
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            out = self.models[1].generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=TOKENS,
                do_sample=False,
            )
        return tuple(out[0, len(prompt) :].tolist())

    def run(self, strategy, batch):
        size = len(self.tokenizer)
        engine = Engine(
            *self.runners, Dispatcher(strategy), SharedVocabulary(size, size), batch
        )
        requests = [
            GenerationRequest(
                prompt,
                TOKENS,
                *(law.law({}, len(prompt), TOKENS) for law in self.laws),
                eos=frozenset({self.eos}),
                key=i,
            )
            for i, prompt in enumerate(self.prompts)
        ]
        return sorted(engine.run(requests), key=lambda answer: answer.request.key)


@pytest.fixture(scope="module")
def demo():
    return Demo()


def test_answers_end_in_every_way(demo):
    ends = [text[-1] == demo.eos for text in demo.expected]
    assert {True, False} == set(ends)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_llm_alone_is_generate(demo, batch):
    assert [a.tokens for a in demo.run(LlmOnly(), batch)] == demo.expected


@pytest.mark.parametrize("drafts", [1, 2, 4, 7])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_speculation_is_generate(demo, batch, drafts):
    answers = demo.run(Speculative(num_drafts=drafts), batch)
    assert [a.tokens for a in answers] == demo.expected
    accepted = sum(a.tally.num_accepted_draft_tokens for a in answers)
    assert 0 < accepted < sum(a.tally.num_draft_tokens for a in answers)


def test_routing_does_not_depend_on_the_batch(demo):
    alone, together = (demo.run(Uncertainty(threshold=0.1), n) for n in (1, 8))
    for one, other in zip(alone, together, strict=True):
        assert one.tokens == other.tokens
        assert [e.from_llm for e in one.provenance] == [
            e.from_llm for e in other.provenance
        ]
        assert all(e.from_llm == (e.signal > 0.1) for e in one.provenance)
