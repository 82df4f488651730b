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
    other = tokenizer(eos_token="a")
    assert other.eos_token_id != tokenizer().eos_token_id
    # each raises where they differ
    compare_tokenizers(tokenizer(), tokenizer())
    compare_tokenizers(other, tokenizer())


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            tokenizer([*LETTERS[:5], "x1", *LETTERS[6:]]),
            "token 'c' is None",
        ),
        (tokenizer([*LETTERS, "zz"]), "token 'zz' is 39 for the SLM, None for the LLM"),
        (tokenizer(bos_token="a"), "bos_token_id is 3 for the SLM, 0 for the LLM"),
        (tokenizer(split=False), "= ?' begins with [2] for the SLM, ["),
    ],
)
def test_the_first_difference_is_named(other, message):
    with pytest.raises(VocabularyError) as error:
        compare_tokenizers(other, tokenizer())
    assert message in str(error.value)
    assert "name two models that share a tokenizer" in str(error.value)


def test_real_size_is_beyond_the_largest_id():
    assert real_size(tokenizer()) == len(LETTERS)


class Gaps:
    """A tokenizer some of whose ids stand for nothing."""

    def get_vocab(self):
        return {"a": 0, "b": 7}


def test_real_size_counts_gaps():
    assert real_size(Gaps()) == 8


class Recased:
    """The same vocabulary, another normaliser."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def encode(self, text, **kwargs):
        return self.inner.encode(text.lower(), **kwargs)


def test_other_rules_are_found_by_probe_texts():
    with pytest.raises(VocabularyError) as error:
        compare_tokenizers(Recased(tokenizer()), tokenizer())
    # T is a word of its own for the one and unknown to the other
    assert "'The quick brown fox, 12345 + 67.8 = ?' begins with [22]" in str(
        error.value
    )


def test_a_tokenizer_is_its_own_equal():
    shared = object()  # which cannot be asked for anything
    compare_tokenizers(shared, shared)
    with pytest.raises(AttributeError):
        compare_tokenizers(shared, object())
