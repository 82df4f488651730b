"""Tokenizers are compared, not sizes; the first difference is named."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hybridcore.errors import VocabularyError
from hybridcore.models.vocabulary import compare_tokenizers, real_size

LETTERS = ["<s>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz0123456789"]


def tokenizer(entries=LETTERS, split=True, **special):
    vocabulary = {token: i for i, token in enumerate(entries)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    if split:
        inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"} | special
    return PreTrainedTokenizerFast(tokenizer_object=inner, **names)


def test_equal_ones_pass_whatever_ends_them():
    compare_tokenizers(tokenizer(), tokenizer())
    compare_tokenizers(tokenizer(eos_token="a"), tokenizer())


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            tokenizer([*LETTERS[:5], "x1", *LETTERS[6:]]),
            "token 'c' is None",
        ),
        (tokenizer([*LETTERS, "zz"]), "token 'zz' is 39 for the SLM, None for the LLM"),
        (tokenizer(bos_token="a"), "bos_token_id is 3 for the SLM, 0 for the LLM"),
        (tokenizer(split=False), "'The quick brown fox"),
    ],
)
def test_the_first_difference_is_named(other, message):
    with pytest.raises(VocabularyError) as error:
        compare_tokenizers(other, tokenizer())
    assert message in str(error.value)
    assert "name two models that share a tokenizer" in str(error.value)


def test_real_size_is_beyond_the_largest_id():
    assert real_size(tokenizer()) == len(LETTERS)
