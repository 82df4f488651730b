"""A pair of bigram tables and one function that runs a strategy on it."""

import pytest
import torch

from hybridcore.conformance.table import TableRunner
from hybridcore.decoding.engine import Engine
from hybridcore.decoding.randomness import row_seed
from hybridcore.decoding.reading import SharedVocabulary
from hybridcore.decoding.request import GenerationRequest
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.dispatch import Dispatcher


class TablePair:
    """Two random tables over ``size`` tokens; ``run`` answers prompts with them."""

    runner = TableRunner

    def __init__(self, size=8, seed=0, spread=1.5):
        generator = torch.Generator().manual_seed(seed)
        self.size = size
        self.q = torch.randn(size, size, generator=generator) * spread
        self.p = torch.randn(size, size, generator=generator) * spread

    def engine(self, strategy, batch=4, price=5, real=None):
        """An engine on new runners, which are kept."""
        self.slm = self.runner(self.q, batch)
        self.llm = self.runner(self.p, batch, parameters=price)
        vocabulary = SharedVocabulary(self.size, real or self.size)
        return Engine(self.slm, self.llm, Dispatcher(strategy), vocabulary, batch)

    def requests(self, prompts, tokens=12, law=None, **fields):
        """Requests whose key is their place; ``tokens`` may be a list."""
        law = law or WarpLaw(1.0)
        budgets = tokens if isinstance(tokens, list) else [tokens] * len(prompts)
        return [
            GenerationRequest(
                prompt, budget, law, law, seed=row_seed(0, prompt, i), key=i, **fields
            )
            for i, (prompt, budget) in enumerate(zip(prompts, budgets, strict=True))
        ]

    def run(self, strategy, prompts, tokens=12, batch=4, law=None, price=5, **fields):
        """Return answers in the order of ``prompts``; keep the runners."""
        engine = self.engine(strategy, batch, price)
        requests = self.requests(prompts, tokens, law, **fields)
        answers = sorted(engine.run(requests), key=lambda answer: answer.request.key)
        assert len(answers) == len(prompts)
        return answers


@pytest.fixture
def pair():
    return TablePair()


@pytest.fixture
def make_pair():
    return TablePair
