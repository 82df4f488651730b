"""The page of model arguments, against the code's lists and HFLM's signature."""

import inspect
import re

import pytest
from lm_eval.models.huggingface import HFLM

from hybridcore.harness import argument_names as known
from hybridcore.harness import arguments
from hybridcore.harness.config_file import read_config


def test_own_arguments_and_synonyms(page):
    rows = page("model_args").section("HybridLM's own").rows()
    own = [row[0].strip("`") for row in rows if len(row) == 3]
    assert sorted(own) == sorted(known.OURS)
    synonyms = {row[0].strip("`"): row[1].strip("`") for row in rows if len(row) == 2}
    assert synonyms == known.SYNONYMS


def test_arguments_of_hflm_and_of_loading(page):
    text = page("model_args")
    both = text.section("For both models").names()
    one = text.section("For the LLM alone, unless prefixed").names()
    passed = text.section("What `from_pretrained` takes").names()
    assert set(one) == known.LLM_ONLY
    signature = inspect.signature(HFLM.__init__).parameters
    of_hflm = set(signature) - {"self", "pretrained", "kwargs"}
    assert set(both) == of_hflm - known.LLM_ONLY
    assert set(passed) == set(known.LOADING) - known.LLM_ONLY
    for names in (both, one, passed):
        assert len(names) == len(set(names))


def test_defaults(page):
    rows = {row[0].strip("`"): row for row in page("model_args").rows()}
    assert rows["strategy"][1].strip("`") == arguments.DEFAULT_STRATEGY
    assert rows["scoring"][1].strip("`") == arguments.scoring_of(None)
    assert str(known.FLAG_DEFAULTS["batch_size"]) in rows["batch_size"][1]
    default = inspect.signature(HFLM.__init__).parameters["max_batch_size"].default
    assert str(default) in rows["max_batch_size"][1]


def test_the_file_in_the_docstring_lists_the_same(page):
    """The head of ``arguments.py`` names what is ours."""
    named = re.findall(r"^``(\w+)``", arguments.__doc__, re.M)
    ours = page("model_args").section("HybridLM's own").names()
    assert set(named) <= {*ours, "device", "dtype", "batch_size", "slm_", "llm_"}


def test_lenient_options_are_named(page):
    text = page("model_args").section("The strategy's").text
    assert " and ".join(f"`{name}`" for name in known.LENIENT) in text


@pytest.fixture
def config_file(page, tmp_path):
    (block,) = page("model_args").section("A config file").blocks()
    file = tmp_path / "file.toml"
    file.write_text(block.text)
    return str(file)


def test_the_config_file_is_read(config_file):
    assert read_config(config_file) == {
        "scoring": "strategy",
        "batch_size": 8,
        "llm": "Qwen/Qwen3-8B",
        "llm_dtype": "bfloat16",
        "slm": "Qwen/Qwen3-1.7B",
        "strategy": "entropy",
        "strategy_options": {"threshold": 1.5},
    }
