"""A tiny pair of random models with a byte tokenizer, and requests made by hand.

For what the embedded pair cannot show: any text, a short window, other tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hybridcore import HybridLM
from hybridcore.conformance.tiny import tiny_model

WINDOW = 96
SPECIALS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}


def byte_tokenizer(
    bos_token: str | None = "<s>", eos_token: str | None = "</s>"
) -> PreTrainedTokenizerFast:
    """Return a tokenizer with one id for each byte behind two special tokens."""
    names = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bpe = models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[])
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=bos_token, eos_token=eos_token
    )


def byte_model(seed: int, **overrides: Any) -> Any:
    """Return a random Llama for :func:`byte_tokenizer`."""
    sizes = {"vocab_size": 258, "max_position_embeddings": WINDOW, **SPECIALS}
    return tiny_model("llama", seed, **{**sizes, **overrides})


def save(folder: Path, model: Any, tokenizer: Any) -> str:
    """Save a model with its tokenizer; return the folder as arguments name it."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of a small and a large model."""
    folder = tmp_path_factory.mktemp("pair")
    small = byte_model(1, hidden_size=16, num_hidden_layers=1)
    return {
        "slm": save(folder / "small", small, byte_tokenizer()),
        "llm": save(folder / "large", byte_model(2), byte_tokenizer()),
    }


@pytest.fixture(scope="session")
def make(pair: dict[str, str]) -> Callable[..., HybridLM]:
    """Make a HybridLM of the tiny pair on the CPU in float32."""

    def build(**arguments: Any) -> HybridLM:
        return HybridLM(**{**pair, "device": "cpu", "dtype": "float32", **arguments})

    return build


@pytest.fixture(scope="session")
def loaded(make: Callable[..., HybridLM]) -> HybridLM:
    """A HybridLM whose models tests share through ``with_strategy``."""
    return make(strategy="slm-only")


def generation(context: str, task: str = "t", doc: int = 0, **kwargs: Any) -> Instance:
    """Return one request of ``generate_until``."""
    return Instance("generate_until", {}, (context, kwargs), 0, (task, doc, 1))


def likelihood(context: str, text: str, task: str = "t", doc: int = 0) -> Instance:
    """Return one request of ``loglikelihood``."""
    return Instance("loglikelihood", {}, (context, text), 0, (task, doc, 1))


def rolling(text: str, task: str = "t", doc: int = 0) -> Instance:
    """Return one request of ``loglikelihood_rolling``."""
    return Instance("loglikelihood_rolling", {}, (text,), 0, (task, doc, 1))
