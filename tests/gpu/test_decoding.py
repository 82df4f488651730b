"""On a GPU, in float32, the loop says what ``generate`` says there."""

import random

import pytest
import torch
from hybridlm_strategy_baselines import LlmOnly
from hybridlm_strategy_entropy import Entropy
from hybridlm_strategy_speculative import Speculative
from transformers import LlamaConfig, LlamaForCausalLM

from hybridcore.conformance.tiny import perturbed, tiny_model
from hybridcore.decoding.engine import Engine
from hybridcore.decoding.generation_law import GenerationLaws
from hybridcore.decoding.randomness import row_seed
from hybridcore.decoding.reading import SharedVocabulary
from hybridcore.decoding.request import GenerationRequest
from hybridcore.dispatch import Dispatcher
from hybridcore.models.compiling import compile_runner
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.recorders import recorder_of
from hybridcore.models.runner import Feed
from hybridcore.models.tree_probe import choose_tree_reader
from hybridcore.models.trial import errors

KINDS = ["llama", "qwen3", "mistral", "gemma2", "gemma3", "gpt2", "phi3", "qwen3_moe"]
LENGTHS = [3, 17, 1, 9, 5, 12, 2, 7, 20, 4]
TOKENS = 24


class Pair:
    def __init__(self, kind):
        rng = random.Random(kind)
        llm = tiny_model(kind)
        self.slm = perturbed(llm, 0.08).cuda()
        self.llm = llm.cuda()
        self.prompts = [[rng.randrange(3, 64) for _ in range(n)] for n in LENGTHS]

    def generated(self, prompt):
        ids = torch.tensor([prompt], device="cuda")
        with torch.inference_mode():
            out = self.llm.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=TOKENS,
                do_sample=False,
            )
        return tuple(out[0, len(prompt) :].tolist())

    def run(self, strategy, batch, graphs=True, **kwargs):
        pair = (self.slm, self.llm)
        slm, llm = (
            choose_runner(m, batch, recorder=recorder_of(m, graphs, False))
            for m in pair
        )
        assert slm.kind == llm.kind == "slots"
        laws = [GenerationLaws(m) for m in (self.slm, self.llm)]
        engine = Engine(slm, llm, Dispatcher(strategy), SharedVocabulary(64, 64), batch)
        self.llm_reader = llm._reader
        requests = [
            GenerationRequest(
                prompt,
                TOKENS,
                *(made.law(kwargs, len(prompt), TOKENS) for made in laws),
                eos=frozenset({2}),
                seed=row_seed(7, prompt),
                key=i,
            )
            for i, prompt in enumerate(self.prompts)
        ]
        found = {answer.request.key: answer.tokens for answer in engine.run(requests)}
        return [found[i] for i in range(len(requests))]


@pytest.mark.parametrize("graphs", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_greedy_texts_are_generates(kind, graphs, caplog):
    pair = Pair(kind)
    expected = [pair.generated(prompt) for prompt in pair.prompts]
    assert pair.run(LlmOnly(), 3, graphs) == expected
    for drafts in (1, 4):
        assert pair.run(Speculative(num_drafts=drafts), 3, graphs) == expected
    steps = pair.llm_reader._steps and pair.llm_reader._steps._steps
    if not graphs or kind == "gemma2":  # whose attention is its own
        assert steps is None
    elif kind == "qwen3_moe":  # its routing waits for the device
        assert "not recorded" in caplog.text
    else:
        assert steps


@pytest.mark.parametrize("compiles", [False, True])
@pytest.mark.parametrize("kind", ["llama", "mistral", "gpt2"])
def test_recorded_steps_against_recompute(kind, compiles):
    """With rows left out, rolled back and released: nothing was recorded of them."""
    model, rng = tiny_model(kind).cuda(), random.Random(kind)
    recorder = recorder_of(model, True, compiles)
    fast, slow = choose_runner(model, 4, recorder=recorder), RecomputeRunner(model, 4)
    if compiles:
        assert compile_runner(fast, model)

    def enter():
        prompt = [rng.randrange(3, 60) for _ in range(rng.randrange(1, 30))]
        (slot, kept), (other, _) = (r.acquire(prompt) for r in (fast, slow))
        feeds = [Feed(slot, prompt[kept:])], [Feed(other, prompt)]
        fast.forward(feeds[0]), slow.forward(feeds[1])
        return slot, other

    rows = [enter() for _ in range(4)]
    for turn in range(120):
        chosen = rng.sample(rows, rng.randrange(1, 5))
        widths = [rng.choice((1, 1, 4)) for _ in chosen]
        texts = [[rng.randrange(3, 60) for _ in range(n)] for n in widths]
        found = fast.forward(
            [Feed(s, t, len(t)) for (s, _), t in zip(chosen, texts, strict=True)]
        )
        expected = slow.forward(
            [Feed(o, t, len(t)) for (_, o), t in zip(chosen, texts, strict=True)]
        )
        assert errors(found, expected).max() < 1e-4, turn
        for slot, other in chosen:
            length = max(1, fast.length(slot) - rng.randrange(6))
            fast.rollback(slot, length)
            slow.rollback(other, length)
        if turn % 10 == 9:
            gone = rows.pop(rng.randrange(4))
            fast.release(gone[0]), slow.release(gone[1])
            rows.append(enter())
        if turn == 60:
            for slot, other in rows:
                fast.release(slot), slow.release(other)
            fast.clear()
            rows = [enter() for _ in range(4)]
    assert fast._reader._steps._steps


def test_what_waits_for_the_device_is_called(caplog):
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4},
    )
    model = LlamaForCausalLM(config).eval().cuda()
    recorder = recorder_of(model, True, False)
    fast, slow = choose_runner(model, 1, recorder=recorder), RecomputeRunner(model, 1)
    for runner in (fast, slow):
        runner.acquire([1])
        runner.forward([Feed(0, [1])])
    for token in range(12):
        found, expected = (r.forward([Feed(0, [token])]) for r in (fast, slow))
        assert errors(found, expected).max() < 1e-4
    assert "not recorded as CUDA graphs" in caplog.text
    torch.rand(2, device="cuda")  # what a broken recording would forbid


@pytest.mark.parametrize("kwargs", [{}, {"do_sample": True, "temperature": 0.8}])
@pytest.mark.parametrize("strategy", [Speculative(num_drafts=3), Entropy(threshold=1)])
def test_a_row_is_the_same_in_any_batch(strategy, kwargs):
    pair = Pair("llama")
    assert pair.run(strategy, 8, **kwargs) == pair.run(strategy, 1, **kwargs)


@pytest.mark.parametrize("kind", KINDS)
def test_trees_are_read(kind):
    # the probe compares with recomputing
    assert choose_tree_reader(tiny_model(kind).cuda()) is not None


def test_memory_really_runs_out(caplog):
    shape = {"hidden_size": 128, "intermediate_size": 65_536, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=1000, **shape, **heads)
    model = LlamaForCausalLM(config).eval().cuda()
    recorder = recorder_of(model, True, False)
    fast, slow = choose_runner(model, 8, recorder=recorder), RecomputeRunner(model, 8)
    feeds = [Feed(s, [(7 * i + s) % 999 for i in range(256)]) for s in range(8)]
    for feed in feeds:
        assert fast.acquire(feed.tokens)[0] == slow.acquire(feed.tokens)[0] == feed.slot
    expected = torch.cat([slow.forward([feed]) for feed in feeds])
    torch.cuda.empty_cache()
    # each of the three wide activations of all rows takes 512 MiB
    room = torch.cuda.memory_reserved() + 900 * 2**20
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(room / total)
    try:
        found = fast.forward(feeds)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "out of memory" in caplog.text
    assert errors(found, expected).max() < 1e-4
