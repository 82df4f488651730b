"""The embedded pair as it is shipped: small, sharing a tokenizer, one weak, one not."""

import json
import re

import pytest
import torch
from lm_eval.api.instance import Instance
from transformers import AutoModelForCausalLM, AutoTokenizer

from hybridcore import HybridLM
from hybridcore.demo import MODELS, model_path, tasks_path
from hybridcore.models.vocabulary import PROBES, compare_tokenizers

DATA = tasks_path().parent / "data"


@pytest.fixture(scope="module")
def tokenizers():
    return [AutoTokenizer.from_pretrained(model_path(name)) for name in MODELS]


def test_together_below_eight_megabytes_in_half_precision():
    files = [p for name in MODELS for p in model_path(name).iterdir()]
    assert sum(p.stat().st_size for p in files) < 8_000_000
    for name in MODELS:
        model = AutoModelForCausalLM.from_pretrained(model_path(name))
        assert model.dtype == torch.float16


def test_any_text_survives_the_tokenizer(tokenizers):
    for text in [*PROBES, "Ada has 12 pens.\nAnswer: 12", "</s> <|end", "\x00\x7f"]:
        ids = tokenizers[0].encode(text, add_special_tokens=False)
        assert tokenizers[0].decode(ids) == text


def test_digits_are_single_tokens(tokenizers):
    ids = tokenizers[0].encode("12+345=357")
    assert [tokenizers[0].decode([i]) for i in ids] == list("12+345=357")


def test_the_two_share_a_tokenizer(tokenizers):
    compare_tokenizers(*tokenizers)  # raises where they differ
    first, second = (tokenizer.get_vocab() for tokenizer in tokenizers)
    assert first == second


def test_context_and_answer_are_tokenised_apart(tokenizers):
    row = json.loads((DATA / "generation.jsonl").read_text().splitlines()[0])
    encode = tokenizers[0].encode
    whole = encode(f"{row['prompt']} {row['solution']}")
    assert whole == encode(row["prompt"]) + encode(f" {row['solution']}")


def test_one_is_clearly_weaker_and_routing_wins_most_of_it_back():
    """The promise of the pair, on the documents that `make demo` asks."""
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in (DATA / "generation.jsonl").open()]
    lm = HybridLM(
        slm="demo-slm", llm="demo-llm", strategy="llm-only", device="cpu",
        dtype="float32", batch_size=16,
    )  # fmt: skip

    def accuracy(strategy, **options):
        model = lm.with_strategy(strategy, **options)
        settings = {"until": ["\n\n"], "max_gen_toks": 128}
        texts = model.generate_until(
            [
                Instance(
                    "generate_until", {}, (row["prompt"], settings), 0, ("t", i, 1)
                )
                for i, row in enumerate(rows)
            ]
        )
        found = [re.search(r"Answer: (\d+)", text) for text in texts]
        right = [
            bool(f) and f[1] == row["answer"]
            for f, row in zip(found, rows, strict=True)
        ]
        total = model.get_model_info()["hybrid"]["total"]
        return sum(right) / len(rows), total["llm_token_fraction"]

    strong, weak = accuracy("llm-only")[0], accuracy("slm-only")[0]
    assert strong >= 0.9
    assert weak <= 0.6
    routed, share = accuracy("uncertainty", threshold=0.05)
    assert routed >= 0.98 * strong
    assert share < 0.5
    assert accuracy("speculative", num_drafts=4)[0] == strong
