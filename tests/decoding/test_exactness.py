"""On networks: greedy text is ``generate``'s, routing is its definition, in float32.

The SLM is the LLM with perturbed weights, so that drafts are accepted often but not
always. Prompts are ragged, texts are longer than the sliding windows.
"""

import random
from itertools import pairwise

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly, SlmOnly
from hybridlm_strategy_entropy import Entropy
from hybridlm_strategy_speculative import Speculative
from hybridlm_strategy_uncertainty import Uncertainty
from transformers import GenerationConfig

from hybridcore import laws, signals
from hybridcore.conformance.tiny import perturbed, tiny_model
from hybridcore.decoding.engine import Engine
from hybridcore.decoding.generation_law import GenerationLaws
from hybridcore.decoding.randomness import row_seed
from hybridcore.decoding.reading import SharedVocabulary
from hybridcore.decoding.request import GenerationRequest
from hybridcore.dispatch import Dispatcher
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed

KINDS = ["llama", "qwen3", "mistral", "gemma3", "gpt2", "phi3", "qwen3_moe"]
LENGTHS = [3, 17, 1, 9, 5, 12, 2, 7, 20, 4]
TOKENS = 24


class Models:
    """A pair of one architecture, its prompts, and what ``generate`` says of them."""

    def __init__(self, kind, noise=0.08):
        rng = random.Random(kind)
        self.llm = tiny_model(kind)
        self.slm = perturbed(self.llm, noise)
        self.prompts = [[rng.randrange(3, 64) for _ in range(n)] for n in LENGTHS]

    def generated(self, prompt, model=None, tokens=TOKENS, **kwargs):
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            out = (model or self.llm).generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=tokens,
                **({"do_sample": False} | kwargs),
            )
        return tuple(out[0, len(prompt) :].tolist())

    def run(self, strategy, batch, order=None, prompts=None, tokens=TOKENS, **kwargs):
        prompts = self.prompts if prompts is None else prompts
        slm, llm = (choose_runner(m, batch) for m in (self.slm, self.llm))
        slm_laws, llm_laws = GenerationLaws(self.slm), GenerationLaws(self.llm)
        engine = Engine(slm, llm, Dispatcher(strategy), SharedVocabulary(64, 64), batch)
        requests = [
            GenerationRequest(
                prompt,
                tokens,
                slm_laws.law(kwargs, len(prompt), tokens),
                llm_laws.law(kwargs, len(prompt), tokens),
                eos=frozenset({2}),
                seed=row_seed(7, prompt),
                key=i,
            )
            for i, prompt in enumerate(prompts)
        ]
        if order is not None:
            requests = [requests[i] for i in order]
        found = {answer.request.key: answer for answer in engine.run(requests)}
        return [found[i] for i in range(len(prompts))]


@pytest.fixture(scope="module")
def models():
    made = {}
    return lambda kind: made.setdefault(kind, Models(kind))


def tokens(answers):
    return [answer.tokens for answer in answers]


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_speculation_is_generate(models, kind):
    pair = models(kind)
    expected = [pair.generated(prompt) for prompt in pair.prompts]
    accepted = drafted = 0
    for batch in (1, 3, 8):
        for drafts in (1, 2, 4, 7):
            answers = pair.run(Speculative(num_drafts=drafts), batch)
            assert tokens(answers) == expected, (batch, drafts)
            accepted += sum(a.tally.num_accepted_draft_tokens for a in answers)
            drafted += sum(a.tally.num_draft_tokens for a in answers)
    assert 0.05 < accepted / drafted < 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_llm_alone_is_generate(models, kind):
    pair = models(kind)
    expected = [pair.generated(prompt) for prompt in pair.prompts]
    assert tokens(pair.run(LlmOnly(), 3)) == expected


@pytest.mark.parametrize(
    "own",
    [
        {"repetition_penalty": 1.4},
        {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95},
        {"repetition_penalty": 1.2, "no_repeat_ngram_size": 2},
    ],
    ids=["penalty", "qwen", "ngram"],
)
@pytest.mark.parametrize("strategy", [LlmOnly(), Speculative(num_drafts=3)])
def test_the_models_generation_config_is_obeyed(own, strategy):
    pair = Models("llama")
    for model in (pair.llm, pair.slm):
        model.generation_config = GenerationConfig(
            eos_token_id=2, pad_token_id=0, bos_token_id=1, **own
        )
    # HFLM asks for greedy search where the task gives no temperature
    expected = [pair.generated(prompt, do_sample=False) for prompt in pair.prompts]
    assert tokens(pair.run(strategy, 3)) == expected


@pytest.mark.parametrize("kind", ["llama", "mistral"])
@pytest.mark.parametrize("kwargs", [{}, {"do_sample": True, "temperature": 0.8}])
@pytest.mark.parametrize(
    "strategy",
    [Speculative(num_drafts=4), Uncertainty(threshold=0.5), Entropy(threshold=1.0)],
    ids=lambda s: type(s).__name__,
)
def test_a_row_is_the_same_in_any_batch_and_order(models, kind, kwargs, strategy):
    pair = models(kind)
    alone = tokens(pair.run(strategy, 1, **kwargs))
    assert tokens(pair.run(strategy, 8, **kwargs)) == alone
    order = random.Random(3).sample(range(len(LENGTHS)), len(LENGTHS))
    assert tokens(pair.run(strategy, 3, order, **kwargs)) == alone


ROUTERS = {
    "uncertainty": (Uncertainty, signals.least_confidence, 1.0),
    "entropy": (Entropy, signals.entropy, 10.0),
}
ROUTED = ["llama", "qwen3", "gemma3", "gpt2"]
SHORT = 12
SETTINGS = [{}, {"do_sample": True, "temperature": 0.9}]


def plain_loop(pair, prompt, signal, threshold, kwargs):
    """One row, no cache, no engine: the definition of a router."""
    runners = [RecomputeRunner(m, 1) for m in (pair.slm, pair.llm)]
    makers = [GenerationLaws(m).law(kwargs, len(prompt), SHORT)
              for m in (pair.slm, pair.llm)]  # fmt: skip
    numbers = random.Random(row_seed(7, prompt))
    ids, origin = list(prompt), []
    while len(origin) < SHORT and ids[-1] != 2:
        logits = []
        for runner in runners:
            slot, _ = runner.acquire(ids)
            logits.append(runner.forward([Feed(slot, ids)]))
            runner.release(slot)
        chosen = int(signal(logits[0]).item() > threshold)
        scores = makers[chosen].scores(lambda i: ids, logits[chosen])
        greedy = makers[chosen].greedy
        law = laws.greedy(scores) if greedy else scores.softmax(-1)
        uniform = torch.tensor([numbers.random()], dtype=torch.float64)
        ids.append(laws.sample(law, uniform).item())
        origin.append(bool(chosen))
    return tuple(ids[len(prompt) :]), origin


def between(values):
    """A threshold about the middle, as far from every value as can be."""
    ordered = sorted(values)
    middle = ordered[len(ordered) // 4 : -len(ordered) // 4]
    return sum(max(pairwise(middle), key=lambda pair: pair[1] - pair[0])) / 2


@pytest.mark.parametrize("kwargs", SETTINGS, ids=["greedy", "sampled"])
@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("kind", ROUTED)
def test_routers_follow_their_definition(models, kind, router, kwargs):
    pair = models(kind)
    prompts = pair.prompts[:5]
    strategy, signal, never = ROUTERS[router]
    settings = {"prompts": prompts, "tokens": SHORT, **kwargs}
    unrouted = pair.run(strategy(threshold=never), 4, **settings)
    threshold = between(e.signal for a in unrouted for e in a.provenance)
    answers = pair.run(strategy(threshold=threshold), 4, **settings)
    routes = []
    for prompt, answer in zip(prompts, answers, strict=True):
        expected, origin = plain_loop(pair, prompt, signal, threshold, kwargs)
        assert answer.tokens == expected
        assert [e.from_llm for e in answer.provenance] == origin
        routes += origin
    assert set(routes) == {True, False}


@pytest.mark.parametrize("kwargs", SETTINGS, ids=["greedy", "sampled"])
@pytest.mark.parametrize("router", [Uncertainty, Entropy])
@pytest.mark.parametrize("kind", ROUTED)
def test_thresholds_beyond_the_range_are_one_model_alone(models, kind, router, kwargs):
    pair = models(kind)
    settings = {"prompts": pair.prompts[:4], "tokens": SHORT, **kwargs}

    def run(strategy):
        return tokens(pair.run(strategy, 3, **settings))

    highest = 1.0 if router is Uncertainty else 10.0
    never, always = run(router(threshold=highest)), run(router(threshold=-1.0))
    assert never == run(SlmOnly())
    assert always == run(LlmOnly())
    assert never != always
    if not kwargs:
        for model, texts in ((pair.slm, never), (pair.llm, always)):
            assert texts == [
                pair.generated(prompt, model, SHORT) for prompt in settings["prompts"]
            ]


@pytest.mark.parametrize("kind", ["bloom", "mamba"])
def test_recomputed_models_are_exact_too(kind):
    pair = Models(kind)
    pair.prompts = pair.prompts[:4]
    expected = [pair.generated(prompt) for prompt in pair.prompts]
    assert tokens(pair.run(Speculative(num_drafts=3), 3)) == expected
