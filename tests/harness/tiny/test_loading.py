"""Both models are loaded as HFLM loads one; what cannot be used says so in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from lm_eval.models.huggingface import HFLM
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertLMHeadModel,
    DistilBertConfig,
    LlamaForCausalLM,
    T5Config,
    XLMConfig,
)

from hybridcore import HybridLM, Positions, Step, Strategy, hookimpl
from hybridcore.errors import (
    ArgumentError,
    ModelError,
    RequestError,
    StrategyBroken,
    StrategyError,
    VocabularyError,
)
from hybridcore.harness.loading import CausalHFLM
from hybridcore.harness.preflight import refuse_others

from .conftest import byte_model, byte_tokenizer, generation, likelihood, rolling, save

REQUESTS = [generation("one two", max_gen_toks=6)]


def test_the_slm_has_its_own_arguments(make: Callable[..., HybridLM]) -> None:
    lm = make(slm_dtype="bfloat16", attn_implementation="eager")
    assert lm.pair.slm is not None
    assert lm.model.dtype == torch.float32
    assert lm.pair.slm.model.dtype == torch.bfloat16
    for model in (lm.model, lm.pair.slm.model):
        assert model.config._attn_implementation == "eager"


def test_loaded_models(pair: dict[str, str], loaded: HybridLM) -> None:
    slm, llm = (LlamaForCausalLM.from_pretrained(pair[role]) for role in pair)
    lm = HybridLM(slm, llm, "speculative", batch_size=2)
    expected = loaded.with_strategy("llm-only").generate_until(REQUESTS)
    assert lm.generate_until(REQUESTS) == expected
    assert lm.model is llm


def test_models_that_were_never_saved(pair: dict[str, str], loaded: HybridLM) -> None:
    tokenizer = AutoTokenizer.from_pretrained(pair["llm"])
    lm = HybridLM(byte_model(1), byte_model(2), "speculative", tokenizer=tokenizer)
    expected = loaded.with_strategy("llm-only").generate_until(REQUESTS)
    assert lm.generate_until(REQUESTS) == expected


def test_loaded_models_whose_weights_lie_elsewhere(
    pair: dict[str, str], loaded: HybridLM
) -> None:
    slm, llm = (LlamaForCausalLM.from_pretrained(pair[role]) for role in pair)
    for model in (slm, llm):
        accelerate.cpu_offload(model, torch.device("cpu"))
    lm = HybridLM(slm, llm, "speculative", batch_size="auto")
    assert lm.get_model_info()["hybrid"]["llm"]["device"] == "cpu"
    expected = loaded.with_strategy("llm-only")
    assert lm.generate_until(REQUESTS) == expected.generate_until(REQUESTS)
    asked = [likelihood("one", " two")]
    (score, greedy), (right, best) = (x.loglikelihood(asked)[0] for x in (lm, expected))
    assert (score, greedy) == (pytest.approx(right, abs=1e-5), best)
    lm.pair._trees = {"slm": None, "llm": None}
    assert lm.loglikelihood(asked)[0][0] == pytest.approx(right, abs=1e-5)


def test_one_model_in_both_roles_is_loaded_once(make: Callable[..., HybridLM]) -> None:
    lm = make(slm=make().given.llm, strategy="speculative")
    assert lm.pair.slm is lm
    answers = lm.generate_until(REQUESTS)
    assert answers == lm.with_strategy("llm-only").generate_until(REQUESTS)
    total = lm.counts().tasks["t"]
    assert total.num_accepted_draft_tokens == total.num_draft_tokens > 0


def test_the_slm_is_loaded_when_it_is_first_read(
    make: Callable[..., HybridLM],
) -> None:
    lm = make(strategy="llm-only")
    assert lm.pair.loaded_slm is None
    assert lm.get_model_info()["hybrid"]["slm"] is None
    other = lm.with_strategy("speculative")
    assert other.pair.loaded_slm is not None
    assert other.pair is lm.pair


def test_a_missing_slm_is_an_error_where_it_is_read(
    make: Callable[..., HybridLM],
) -> None:
    lm = make(slm=None, strategy="llm-only")
    assert lm.generate_until(REQUESTS)
    with pytest.raises(ArgumentError, match="slm is missing: strategy Entropy"):
        lm.with_strategy("entropy")


def test_windows_are_the_shortest_of_those_that_take_part(
    make: Callable[..., HybridLM],
) -> None:
    lm = make(slm_max_length=40, strategy="entropy")
    assert (lm.max_length, lm.scoring_window) == (40, 96)
    assert lm.with_strategy("llm-only").max_length == 96
    assert make(slm_max_length=40, scoring="strategy").scoring_window == 40


def test_quantization_reaches_from_pretrained(
    make: Callable[..., HybridLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HFLM's own constructor cannot pass ``quantization_config`` on."""
    seen: list[Any] = []
    create = HFLM._create_model

    def spy(self: Any, *args: Any, **kwargs: Any) -> None:
        seen.append((self.role, kwargs.pop("quantization_config")))
        create(self, *args, **kwargs)

    monkeypatch.setattr(HFLM, "_create_model", spy)
    make(slm_quantization_config={"quant_method": "x"})
    assert seen == [("llm", None), ("slm", {"quant_method": "x"})]
    seen.clear()
    make(llm_load_in_4bit=True, llm_bnb_4bit_compute_dtype="bfloat16")
    (_, config), (_, none) = seen
    assert config.load_in_4bit
    assert config.bnb_4bit_compute_dtype == torch.bfloat16
    assert none is None


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        ("*", "Unrecognized model"),
        ("config.json", "Unrecognized model"),
        ("*.safetensors", "its weights cannot be loaded: "),
        ("tokenizer*", "no tokenizer there: "),
        ("/", "no such folder\n"),
    ],
)
@pytest.mark.parametrize("role", ["slm", "llm"])
def test_folders_that_are_no_model(
    make: Callable[..., HybridLM],
    pair: dict[str, str],
    tmp_path: Path,
    role: str,
    missing: str,
    what: str,
) -> None:
    folder = tmp_path / "copy"
    if missing != "/":
        shutil.copytree(pair["llm"], folder, ignore=shutil.ignore_patterns(missing))
    with pytest.raises(ModelError) as error:
        make(**{role: str(folder)})
    line, advice = str(error.value).split("\n")
    assert line.startswith(f"{role}={str(folder)!r}: ")
    assert what.strip() in line
    assert advice.startswith("expected a Hugging Face model id, or a folder")


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let weights never be loaded."""

    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(CausalHFLM, "_create_model", never)


class Misspelt(Strategy):
    """Has a hook that there is not."""

    @hookimpl
    def route_tokens(self, step: Step) -> None:
        """Do nothing."""


class Scores(Strategy):
    """Scores with both models, decodes with the LLM."""

    requires = frozenset()

    @hookimpl
    def score(self, positions: Positions) -> None:
        """Decline."""


class Remembers(Strategy):
    """Has a state, so that nobody knows the law it induces."""

    @hookimpl
    def route_token(self, step: Step) -> None:
        """Decline."""

    @hookimpl
    def start(self, request: Any) -> None:
        """Remember nothing."""


@pytest.mark.usefixtures("no_weights")
def test_what_is_cheap_to_refuse_is_refused_before_weights_are_loaded(
    make: Callable[..., HybridLM], pair: dict[str, str], tmp_path: Path
) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["surprise"])
    other = save(tmp_path / "other", byte_model(1), tokenizer)
    (tmp_path / "none").mkdir()
    for error, message, arguments in [
        (ModelError, "slm=.* no model there", {"slm": str(tmp_path / "none")}),
        (ModelError, "llm=.* no model there", {"llm": str(tmp_path / "none")}),
        (VocabularyError, "token 'surprise' is 258 for the SLM", {"slm": other}),
        (VocabularyError, "token 'surprise' is None for the SLM", {"llm": other}),
        (ModelError, "tokenizer='/no': no tok", {"slm_tokenizer": "/no"}),
        (StrategyBroken, "route_tokens", {"strategy": Misspelt()}),
        (
            ArgumentError,
            "slm is missing: strategy Scores reads",
            {"strategy": Scores(), "slm": None, "scoring": "strategy"},
        ),
        (
            StrategyError,
            "Remembers",
            {"strategy": Remembers(), "scoring": "strategy"},
        ),
    ]:
        with pytest.raises(error, match=message):
            make(**arguments)
    with pytest.raises(ModelError, match="it cannot be loaded: loaded"):
        make()
    with pytest.raises(ModelError, match="it cannot be loaded: loaded"):
        make(slm=other, strategy="llm-only")  # which does not read it


def test_tokenizers_of_loaded_models_are_compared(
    make: Callable[..., HybridLM], pair: dict[str, str], tmp_path: Path
) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["surprise"])
    other = save(tmp_path / "other", byte_model(1), tokenizer)
    model = LlamaForCausalLM.from_pretrained(other)
    for arguments in ({"slm": model}, {"llm": model}):
        with pytest.raises(VocabularyError, match="token 'surprise'"):
            make(**arguments)
    lm = make(slm=other, strategy="llm-only")
    with pytest.raises(VocabularyError, match="token 'surprise'"):
        lm.with_strategy("speculative")


def test_the_slms_tokenizer_is_loaded_once_by_its_own_arguments(
    make: Callable[..., HybridLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    right = AutoTokenizer.from_pretrained

    def spy(name: str, **kwargs: Any) -> Any:
        loaded.append(name)
        return right(name, **kwargs)

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", spy)
    lm = make(slm_add_bos_token=True)
    assert sorted(loaded) == sorted([lm.given.slm, lm.given.llm])
    assert lm.pair.slm is not None
    assert lm.pair.slm.add_bos_token is True


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "cut off": ("model.safetensors", lambda content: content[:-3000]),
    "cut to a piece of the header": ("model.safetensors", lambda content: content[:90]),
    "empty": ("model.safetensors", lambda content: b""),
    "other sizes": (
        "config.json",
        lambda content: content.replace(
            b'"intermediate_size": ', b'"intermediate_size": 1'
        ),
    ),
    "half a configuration": ("config.json", lambda content: content[:50]),
    "half a tokenizer": ("tokenizer.json", lambda content: content[:50]),
}


@pytest.mark.parametrize("what", DAMAGE)
@pytest.mark.parametrize("role", ["slm", "llm"])
def test_damaged_folders(
    make: Callable[..., HybridLM],
    pair: dict[str, str],
    tmp_path: Path,
    role: str,
    what: str,
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(pair["llm"], folder)
    name, damage = DAMAGE[what]
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(damage(content))
    assert (folder / name).read_bytes() != content
    with pytest.raises(ModelError) as error:
        make(**{role: str(folder)})
    line, _advice = str(error.value).split("\n")
    assert line.startswith(f"{role}={str(folder)!r}: ")


_SIZES = {"vocab_size": 258, "max_position_embeddings": 96}
_BERT = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
OTHERS = {
    "an encoder-decoder model (t5)": T5Config(d_model=16, num_layers=1, **_SIZES),
    "an encoder (bert)": BertConfig(hidden_size=16, **_BERT, **_SIZES),
    "an encoder (xlm)": XLMConfig(emb_dim=16, n_layers=1, n_heads=2, **_SIZES),
    "no causal language model (distilbert)": DistilBertConfig(dim=16, n_heads=2),
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("role", ["slm", "llm"])
def test_what_is_no_causal_language_model(
    make: Callable[..., HybridLM], tmp_path: Path, role: str, what: str
) -> None:
    OTHERS[what].save_pretrained(tmp_path)
    with pytest.raises(ModelError) as error:
        make(**{role: str(tmp_path)})
    assert f"{role}={str(tmp_path)!r} is {what}: expected a d" in str(error.value)


@pytest.mark.parametrize(
    ("kind", "switch"), [(BertConfig, "is_decoder"), (XLMConfig, "causal")]
)
def test_an_encoder_made_a_decoder_is_welcome(kind: Any, switch: str) -> None:
    refuse_others("llm", "x", kind(**{switch: True}), "default")
    with pytest.raises(ModelError, match="is an encoder"):
        refuse_others("llm", "x", kind(**{switch: False}), "default")


def test_a_loaded_encoder_is_refused(pair: dict[str, str]) -> None:
    model = BertLMHeadModel(BertConfig(hidden_size=16, **_BERT, **_SIZES))
    with pytest.raises(ModelError, match="is an encoder"):
        HybridLM(
            pair["slm"], model, tokenizer=AutoTokenizer.from_pretrained(pair["llm"])
        )


def test_a_tokenizer_that_is_not_there_is_named(make: Callable[..., HybridLM]) -> None:
    with pytest.raises(ModelError) as error:
        make(tokenizer="/no/such")
    line, advice = str(error.value).split("\n")
    assert line.startswith("tokenizer='/no/such': no tokenizer there: ")
    assert not line.endswith(":")
    assert advice == "expected the hub id of a tokenizer, or a folder with one"


def test_the_advice_is_about_what_is_wrong(
    make: Callable[..., HybridLM], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="think_end_token") as error:
        make(enable_thinking=True)
    assert str(error.value).split("\n")[1].startswith("expected model arguments that")
    with pytest.raises(ModelError, match="attn_implementation") as error:
        make(attn_implementation="nope")
    assert str(error.value).endswith("; and loading arguments that it takes")

    def lacks(*args: Any, **kwargs: Any) -> None:
        raise ModuleNotFoundError("No module named 'peft'")

    monkeypatch.setattr(HFLM, "_create_model", lacks)
    with pytest.raises(ModelError, match="No module named 'peft'\ninstall that pack"):
        make(peft="x")


def test_a_prefix_outside_of_the_vocabulary(make: Callable[..., HybridLM]) -> None:
    with pytest.raises(ModelError, match="prefix_token_id=258: expected less than"):
        make(prefix_token_id=258)
    assert make(prefix_token_id=257).prefix_token_id == 257


def test_a_tokenizer_without_special_tokens(
    make: Callable[..., HybridLM], tmp_path: Path
) -> None:
    """Only what needs a token to begin with asks for one."""
    none = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    model = byte_model(2, **none)
    model.generation_config.eos_token_id = 77
    tokenizer = byte_tokenizer(bos_token=None, eos_token=None)
    folder = save(tmp_path, model, tokenizer)
    lm = make(slm=folder, llm=folder, strategy="speculative")
    request = generation("one two", max_gen_toks=40, until=["zzz"])
    ids = torch.tensor([tokenizer.encode("one two")])
    text = model.generate(ids, max_new_tokens=40, do_sample=False)[0, ids.shape[1] :]
    assert lm.generate_until([request]) == [tokenizer.decode(text)]
    for ask in (
        lambda: lm.generate_until([generation("", max_gen_toks=4)]),
        lambda: lm.loglikelihood([likelihood("", "two")]),
        lambda: lm.loglikelihood_rolling([rolling("one two")]),
    ):
        with pytest.raises(ModelError) as error:
            ask()
        line, advice = str(error.value).split("\n")
        assert line.startswith(f"llm={folder!r}: its tokenizer has neither a BOS nor")
        assert advice == "add prefix_token_id=<token id> to the model arguments"
    arguments = {"device": "cpu", "dtype": "float32", "prefix_token_id": 5}
    mine, theirs = (
        make(slm=None, llm=folder, **arguments, strategy="llm-only"),
        HFLM(folder, **arguments),
    )
    for asked in ([likelihood("", "two")], [likelihood("one", " two")]):
        (found,), (expected,) = mine.loglikelihood(asked), theirs.loglikelihood(asked)
        assert found[0] == pytest.approx(expected[0], abs=1e-3)
    (found,) = mine.loglikelihood_rolling([rolling("one two")])
    assert found == pytest.approx(
        theirs.loglikelihood_rolling([rolling("one two")])[0], abs=1e-3
    )


def test_a_missing_chat_template(loaded: HybridLM) -> None:
    with pytest.raises(RequestError) as error:
        loaded.apply_chat_template([{"role": "user", "content": "hi"}])
    line, advice = str(error.value).split("\n")
    assert "no chat template can be applied: Cannot use chat template" in line
    assert "leave out --apply_chat_template" in advice


def test_chat_templates_by_name(pair: dict[str, str]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(pair["llm"])
    tokenizer.chat_template = {"default": "{{ messages[0].content }}!", "other": "b"}
    lm = HybridLM(pair["slm"], pair["llm"], device="cpu", tokenizer=tokenizer)
    assert lm.chat_template("other") == "b"
    assert lm.apply_chat_template([{"role": "user", "content": "hi"}]) == "hi!"
    with pytest.raises(RequestError, match="no chat template can be applied"):
        lm.chat_template("third")
    tokenizer.chat_template = "{{ raise_exception('only assistants') }}"
    with pytest.raises(RequestError, match="only assistants"):
        lm.apply_chat_template([{"role": "user", "content": "hi"}])
