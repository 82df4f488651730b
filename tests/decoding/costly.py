"""Bigram tables whose calls take time on a clock that nothing else moves."""

import torch

from hybridcore import laws
from hybridcore.conformance.table import TableRunner
from hybridcore.decoding.engine import Engine
from hybridcore.decoding.reading import SharedVocabulary
from hybridcore.decoding.request import GenerationRequest
from hybridcore.decoding.step_law import WarpLaw
from hybridcore.dispatch import Dispatcher

GREEDY = WarpLaw(0.0)
PROMPTS = [[i % 8, 3, (5 * i) % 8] for i in range(16)]


class Clock:
    """Moved by hand."""

    now = 0.0

    def __call__(self):
        return self.now


class CostlyTable(TableRunner):
    """Takes ``call`` and, for each token with padding, ``token`` seconds."""

    def __init__(self, logits, slots, clock, call, token):
        super().__init__(logits, slots, parameters=1)
        self.clock, self.call, self.token = clock, call, token
        self.widths = []  # of every call

    def forward(self, feeds):
        self.widths.append(max(len(feed.tokens) for feed in feeds))
        self.clock.now += self.call + self.token * self.widths[-1] * len(feeds)
        return super().forward(feeds)


def engine(
    p, q, strategy, slm=(1.0, 0.0), llm=(4.0, 0.1), adaptive=True, batch=4, price=1
):
    """An engine of which the clock, and the widths that the LLM read, are kept."""
    clock = Clock()
    small = CostlyTable(q, batch, clock, *slm)
    large = CostlyTable(p, batch, clock, *llm)
    large.parameters = price
    dispatcher, vocabulary = Dispatcher(strategy), SharedVocabulary(len(p), len(p))
    made = Engine(
        small, large, dispatcher, vocabulary, batch, adaptive=adaptive, clock=clock
    )
    made.clock, made.widths = clock, large.widths
    return made


def requests(prompts, tokens, law, **fields):
    """Requests of one budget, or of one each."""
    budgets = tokens if isinstance(tokens, list) else [tokens] * len(prompts)
    return [
        GenerationRequest(prompt, budget, law, law, seed=i, key=i, **fields)
        for i, (prompt, budget) in enumerate(zip(prompts, budgets, strict=True))
    ]


def run(p, q, strategy, tokens=200, prompts=PROMPTS, law=GREEDY, **options):
    """Return texts, the seconds they took, and their tallies."""
    made = engine(p, q, strategy, **options)
    answers = made.run(requests(prompts, tokens, law))
    answers = sorted(answers, key=lambda a: a.request.key)
    return [a.tokens for a in answers], made.clock.now, [a.tally for a in answers]


def cycle(size, step):
    """A table whose best next token is ``step`` further on."""
    places = torch.arange(size)
    return laws.one_hot((places + step) % size, size) * 9.0
