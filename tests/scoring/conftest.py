"""Tiny random Llamas, lm_eval's HFLM on them, and models that are a table."""

import random

import pytest
import torch
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from hybridcore.dispatch import Dispatcher
from hybridcore.scoring import ScoreRequest, ScoringModel, score

VOCAB = 64
WINDOW = 32

torch.set_num_threads(1)


def llama(seed, width=32, vocab=VOCAB):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=1,
        # far from uniform, so that a wrong position is seen
        initializer_range=0.3,
    )
    return LlamaForCausalLM(config).eval()


def tokenizer():
    words = {f"w{i}": i for i in range(VOCAB)}
    inner = Tokenizer(models.WordLevel(words, unk_token="w2"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="w0", eos_token="w1", unk_token="w2"
    )


def hflm(model, **arguments):
    return HFLM(model, tokenizer=tokenizer(), max_length=WINDOW, **arguments)


def as_scoring(model, **fields):
    """A model as the scorer sees it; it takes note of every input it read."""

    def forward(ids):
        forward.read.append(ids)
        with torch.no_grad():
            return model(ids).logits

    forward.read = []
    given = {"vocab_size": VOCAB, "max_length": WINDOW, "device": torch.device("cpu")}
    return ScoringModel(forward, **{**given, **fields})


def as_table(logits, **fields):
    """A model whose logits depend on the last token alone."""
    model = as_scoring(None, vocab_size=logits.shape[1], **fields)
    return ScoringModel(
        lambda ids: logits[ids], model.vocab_size, model.max_length, model.device
    )


def mixed_requests(seed=0):
    """Contexts shared, doubled, cut at different points and beyond the window."""
    draw = random.Random(seed)

    def ids(n):
        return tuple(draw.randrange(VOCAB) for _ in range(n))

    requests = [ScoreRequest(ids(draw.randint(1, 20)), ids(1)) for _ in range(6)]
    for _ in range(4):
        context = ids(draw.randint(1, 24))
        requests += [ScoreRequest(context, ids(1)) for _ in range(4)]
        requests += [ScoreRequest(context, ids(draw.randint(1, 6))) for _ in range(2)]
    requests += [ScoreRequest(ids(45), ids(n)) for n in (1, 3, 20)]
    requests += [ScoreRequest(ids(1), ids(WINDOW)), ScoreRequest(ids(9), ids(WINDOW))]
    requests += requests[:2]
    draw.shuffle(requests)
    return requests


def scores(requests, strategy=None, slm=None, llm=None, batch_size=4):
    """Return the scores in the order of ``requests``."""
    dispatcher = None if strategy is None else Dispatcher(strategy)
    mode = "llm" if strategy is None else "strategy"
    found = dict(
        score(
            requests,
            slm=slm,
            llm=llm,
            dispatcher=dispatcher,
            mode=mode,
            batch_size=batch_size,
        )
    )
    assert sorted(found) == list(range(len(requests)))
    return [found[i] for i in range(len(requests))]


def plain_logits(model, request):
    """Raw logits at a request's positions, by one forward of its own."""
    ids = [*request.context, *request.continuation][-(WINDOW + 1) :][:-1]
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, -len(request.continuation) :]


@pytest.fixture(scope="session")
def small():
    return llama(1, width=16)


@pytest.fixture(scope="session")
def large():
    return llama(2)
