"""Model arguments: defaults, synonyms, who gets which, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.errors import ArgumentError, OptionError, StrategyNotFound
from hybridcore.harness import arguments as arguments_module
from hybridcore.harness.argument_values import _CHECKS, switch
from hybridcore.harness.arguments import Arguments, parse
from hybridcore.harness.given import with_flags

PAIR = {"slm": "small", "llm": "large"}


class Seeded(Strategy):
    """Has an option whose name is HybridLM's as well."""

    seed: int = option(7)

    @hookimpl
    def route_token(self, step: Step) -> Route:
        return Route(torch.zeros_like(step.pending))


def given(**arguments: Any) -> Arguments:
    return parse({**PAIR, "device": "cpu", **arguments})


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, logger="hybridcore")
    return caplog


def test_defaults_are_the_seeds() -> None:
    arguments = given()
    assert arguments.strategy_name == "uncertainty"
    assert arguments.strategy.options() == {"threshold": 0.5}
    assert given(strategy="entropy").strategy.options() == {"threshold": 2.0}
    assert given(strategy="speculative").strategy.options() == {"num_drafts": 4}
    assert arguments.scoring == "llm"
    assert arguments.llm_loading["batch_size"] == 1


def test_dtype_is_half_on_a_gpu_and_single_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert given().llm_loading["dtype"] == "float32"
    assert given(dtype="float16").llm_loading["dtype"] == "float16"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    loading = parse(PAIR).llm_loading
    assert (loading["device"], loading["dtype"]) == ("cuda", "float16")


def test_cuda_without_one_falls_back_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, warnings: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = parse({**PAIR, "device": "cuda", "dtype": "float16"})
    for loading in (arguments.slm_loading, arguments.llm_loading):
        assert (loading["device"], loading["dtype"]) == ("cpu", "float32")
    assert len(warnings.records) == 1
    assert parse({**PAIR, "dtype": "bfloat16"}).llm_loading["dtype"] == "bfloat16"


def test_loaded_models_are_left_where_they_are(
    warnings: pytest.LogCaptureFixture,
) -> None:
    parse({"slm": torch.nn.Linear(1, 1), "llm": torch.nn.Linear(1, 1)})
    assert not warnings.records


def test_synonyms() -> None:
    arguments = parse({"slm_model_id": "a", "pretrained": "b", "torch_dtype": "auto"})
    assert (arguments.slm, arguments.llm) == ("a", "b")
    assert arguments.llm_loading["dtype"] == "auto"
    with pytest.raises(ArgumentError, match="pretrained='b' contradicts llm='large'"):
        given(pretrained="b")


def test_models_get_shared_and_own_arguments() -> None:
    arguments = given(
        trust_remote_code=True,
        revision="r1",
        attn_implementation="eager",
        slm_dtype="bfloat16",
        slm_revision="r2",
        llm_load_in_4bit=True,
    )
    slm, llm = arguments.slm_loading, arguments.llm_loading
    assert slm["trust_remote_code"]
    assert llm["trust_remote_code"]
    assert slm["attn_implementation"] == llm["attn_implementation"] == "eager"
    assert (slm["dtype"], llm["dtype"]) == ("bfloat16", "float32")
    assert (slm["revision"], llm["revision"]) == ("r2", "r1")
    assert "load_in_4bit" not in slm
    assert llm["load_in_4bit"]
    # what speaks of one repository is the LLM's alone
    assert "revision" not in given(revision="r1").slm_loading


def test_threshold_for_a_strategy_without_one_only_warns(
    warnings: pytest.LogCaptureFixture,
) -> None:
    arguments = given(strategy="speculative", threshold=0.3, num_drafts=2)
    assert arguments.strategy.options() == {"num_drafts": 2}
    assert [r.getMessage() for r in warnings.records] == [
        "threshold=0.3 ignored: strategy speculative has no such option"
    ]


def test_an_option_may_share_our_name() -> None:
    arguments = given(strategy="random", seed=3)
    assert arguments.seed == arguments.strategy.options()["seed"] == 3
    arguments = given(strategy=Seeded(), seed=3)
    assert arguments.seed == 3
    assert arguments.strategy.options() == {"seed": 7}


def test_the_slm_may_miss_where_it_is_not_read() -> None:
    assert given(slm=None, strategy="llm-only").slm is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"slm": None}, "slm is missing: strategy Uncertainty reads the small"),
        ({"llm": None}, "llm is missing"),
        ({"tresh": 1}, "unknown model argument 'tresh'; did you mean 'threshold'"),
        ({"slm_dtyp": 1}, "unknown model argument 'slm_dtyp'; did you mean 'slm_dty"),
        ({"slm_batch_size": 1}, "unknown model argument 'slm_batch_size'"),
        ({"slm_dtype": "int8"}, "slm_dtype='int8': expected auto, float32"),
        ({"dtype": "int8"}, "dtype='int8': expected auto, float32"),
        ({"llm_max_length": 0}, "llm_max_length=0: expected a positive whole number"),
        ({"batch_size": 0}, "batch_size=0: expected a positive whole number or auto"),
        ({"batch_size": "many"}, "batch_size='many'"),
        ({"batch_size": -1}, "batch_size=-1: expected a positive whole number or auto"),
        ({"batch_size": True}, "batch_size=True: expected a positive whole number"),
        ({"batch_size": "auto:x"}, "batch_size='auto:x': expected a positive whole"),
        ({"max_batch_size": 0}, "max_batch_size=0: expected a positive whole number"),
        ({"max_length": -5}, "max_length=-5: expected a positive whole number"),
        ({"max_length": 9.5}, "max_length=9.5: expected a positive whole number"),
        ({"slm_max_length": "x"}, "max_length='x': expected a positive whole number"),
        ({"prefix_token_id": -3}, "prefix_token_id=-3: expected a token id"),
        ({"dtype": "float99"}, "dtype='float99': expected auto, float32"),
        ({"dtype": "int8"}, "dtype='int8': expected auto, float32, float16"),
        ({"softmax_dtype": "foo"}, "softmax_dtype='foo': expected float32"),
        ({"mixed_precision_dtype": "auto"}, "mixed_precision_dtype='auto': expected f"),
        ({"backend": "mlx"}, "backend='mlx': expected one of default, causal, seq2seq"),
        ({"truncation": "maybe"}, "truncation='maybe': expected true or false"),
        ({"add_bos_token": 3}, "add_bos_token=3: expected true or false"),
        ({"trust_remote_code": "y"}, "trust_remote_code='y': expected true or false"),
        ({"load_in_4bit": "x"}, "load_in_4bit='x': expected true or false"),
        ({"tokenizer": 3}, "tokenizer=3: expected a hub id, a folder or a tokenizer"),
        ({"chat_template_args": "a"}, "chat_template_args='a': expected a table"),
        ({"quantization_config": "4"}, "quantization_config='4': expected a table"),
        ({"pack": "maybe"}, "pack='maybe': expected true or false"),
        ({"cuda_graphs": 2}, "cuda_graphs=2: expected true or false"),
        ({"adaptive": 2}, "adaptive=2: expected true or false"),
        ({"device": "gpu"}, "device='gpu': expected cpu, cuda"),
        ({"device": "meta"}, "device='meta': expected cpu, cuda"),
        ({"device": "xpu"}, "device='xpu': this machine has 0 of xpu"),
        ({"slm": ""}, "slm='': expected a hub id, a folder or a loaded model"),
        ({"slm_model_id": "b"}, "slm_model_id='b' contradicts slm='small'"),
        ({"strategy": Seeded(), "num": 1}, "unknown model argument 'num'"),
        ({"scoring": "slm"}, "scoring='slm': expected 'llm' or 'strategy'"),
        ({"seed": "one"}, "seed='one': expected a whole number"),
        ({"strategy": 3}, "strategy=3: expected a name or a Strategy instance"),
        ({"llm": True}, "llm=True: expected a hub id, a folder or a loaded model"),
        ({"config": "/no/such.toml"}, "config='/no/such.toml' cannot be read"),
    ],
)
def test_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        given(**arguments)
    assert message in str(error.value)


def test_unknown_arguments_are_answered_with_the_known() -> None:
    with pytest.raises(ArgumentError) as error:
        given(strategy="entropy", zzz=1)
    assert "\nknown: slm, llm, strategy" in str(error.value)
    assert "threshold" in str(error.value)
    assert "attn_implementation" in str(error.value)


def test_values_are_what_their_words_say() -> None:
    loading = given(
        truncation="True", add_bos_token="false", max_length="64", device="cpu:0"
    ).llm_loading
    assert (loading["truncation"], loading["add_bos_token"]) == (True, False)
    assert (loading["max_length"], loading["device"]) == (64, "cpu")
    assert given(dtype=torch.bfloat16).slm_loading["dtype"] == "bfloat16"
    # of HFLM's arguments, by the annotations of the release that is installed
    names = {name for name, check in _CHECKS.items() if check is switch}
    assert names >= {"trust_remote_code", "truncation", "parallelize", "add_bos_token"}


def test_a_number_of_a_device_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert parse({**PAIR, "device": "cuda:1"}).llm_loading["device"] == "cuda:1"
    with pytest.raises(ArgumentError, match="device='cuda:2': this machine has 2"):
        parse({**PAIR, "device": "cuda:2"})


class Bounded(Strategy):
    """Has an option that may be nothing."""

    level: int | None = option(5)


def test_none_is_not_given_but_may_be_an_options_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arguments_module, "load_class", lambda name: Bounded)
    monkeypatch.setattr(arguments_module, "create", lambda name, o: Bounded(**o))
    assert given(strategy="bounded").strategy.options() == {"level": 5}
    assert given(strategy="bounded", level=None).strategy.options() == {"level": None}
    assert "max_length" not in given(max_length=None, slm_revision=None).llm_loading
    assert given(strategy=None).strategy_name == "uncertainty"
    with pytest.raises(ArgumentError, match="unknown model argument 'lewel'"):
        given(strategy="bounded", lewel=None)


def test_options_beside_an_instance_are_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"options \['level'\] beside a strategy in"
    ):
        given(strategy=Bounded(), level=3)


def test_errors_of_strategies_come_through() -> None:
    with pytest.raises(StrategyNotFound, match="did you mean 'entropy'"):
        given(strategy="entrpy")
    with pytest.raises(OptionError, match="threshold='x'"):
        given(strategy="entropy", threshold="x")


def test_config_file(tmp_path: Path) -> None:
    file = tmp_path / "pair.toml"
    file.write_text(
        'scoring = "strategy"\nbatch_size = 4\ndevice = "cpu"\n'
        '[llm]\nmodel = "large"\ndtype = "bfloat16"\n'
        'quantization_config = {quant_method = "x"}\n'
        '[slm]\nmodel = "small"\n'
        '[strategy]\nname = "entropy"\nthreshold = 1.5\n'
    )
    arguments = parse({"config": str(file)})
    assert (arguments.slm, arguments.llm) == ("small", "large")
    assert arguments.scoring == "strategy"
    assert arguments.strategy.options() == {"threshold": 1.5}
    assert arguments.llm_loading["dtype"] == "bfloat16"
    assert arguments.llm_loading["quantization_config"] == {"quant_method": "x"}
    assert arguments.slm_loading["dtype"] == "float32"


def test_model_arguments_override_the_config_file(tmp_path: Path) -> None:
    file = tmp_path / "pair.toml"
    file.write_text('[slm]\nmodel="x"\n[strategy]\nname="entropy"\nthreshold=1.5\n')
    assert given(config=str(file)).slm == "small"
    assert given(config=str(file), threshold=3.0).strategy.options() == {
        "threshold": 3.0
    }
    # options in the file belong to the strategy in the file
    other = given(config=str(file), strategy="uncertainty")
    assert other.strategy.options() == {"threshold": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slm = [", "is not TOML: "),
        ("\xff", "cannot be read: 'utf-8' codec can't decode"),
        ('config = "other.toml"', "names another config: expected none"),
        ("nonsense = 1", "unknown model argument 'nonsense'"),
        ("[lm]\nmodel = 'x'", "unknown model argument 'lm'; did you mean"),
        ("[llm]\ndtyp = 'x'", "unknown model argument 'llm_dtyp'; did you mean"),
        ("[strategy]\ntreshold = 1", "unknown model argument 'treshold'; did you mean"),
        ("[strategy]\nname = 3", "strategy=3: expected a name"),
        ("[strategy]\nthreshold = 'x'", "option threshold='x' of Uncertainty"),
        ("threshold = 1\n[strategy]\nthreshold = 2", "says threshold twice: expected"),
        ("slm_dtype = 'a'\n[slm]\ndtype = 'b'", "says slm_dtype twice: expected it o"),
        ("slm = 'a'\nslm_model_id = 'b'", "slm_model_id='b' contradicts slm='a'"),
    ],
)
def test_bad_config_files(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ArgumentError) as error:
        given(config=str(file))
    assert message in str(error.value)


def test_a_folder_is_no_config_file(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="cannot be read: "):
        given(config=str(tmp_path))


def test_lm_evals_flags_fill_gaps_and_lose_with_one_warning(
    tmp_path: Path, warnings: pytest.LogCaptureFixture
) -> None:
    defaults = {"batch_size": 1, "max_batch_size": None, "device": "cuda:0"}
    assert with_flags(PAIR, defaults) == {**PAIR, "batch_size": 1, "device": "cuda:0"}
    named = {**PAIR, "batch_size": 8, "device": "cpu"}
    assert with_flags(named, defaults) == named
    assert with_flags(named, {"batch_size": "8", "device": "cpu"}) == named
    assert not warnings.records
    assert with_flags(named, {"batch_size": 4, "device": "cpu"}) == named
    assert len(warnings.records) == 1
    file = tmp_path / "c.toml"
    file.write_text("batch_size = 3")
    assert with_flags({"config": str(file)}, {"batch_size": 1})["batch_size"] == 3


def test_what_is_typed_for_both_models_wins_over_the_tables_of_a_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "pair.toml"
    file.write_text(
        'dtype = "float16"\nadd_bos_token = true\n'
        '[llm]\ndtype = "bfloat16"\nrevision = "a"\nmax_length = 64\n'
        '[slm]\ndtype = "float64"\nrevision = "b"\nmax_length = 32\n'
    )

    def of(name: str, **typed: Any) -> tuple[Any, Any]:
        found = given(config=str(file), device="cpu", **typed)
        return found.slm_loading.get(name), found.llm_loading.get(name)

    assert of("dtype") == ("float64", "bfloat16")
    assert of("dtype", dtype="float32") == ("float32", "float32")
    assert of("dtype", torch_dtype="float32") == ("float32", "float32")
    assert of("dtype", llm_dtype="float32") == ("float64", "float32")
    assert of("dtype", slm_dtype="float16", dtype="float32") == ("float16", "float32")
    assert of("max_length", dtype="float32") == (32, 64)
    # of the LLM alone unless prefixed
    assert of("revision", revision="c") == ("b", "c")


@pytest.mark.parametrize("replaced", ["slm", "llm"])
def test_what_a_file_says_of_a_model_belongs_to_that_model(
    replaced: str, tmp_path: Path
) -> None:
    file = tmp_path / "pair.toml"
    file.write_text(
        'dtype = "float16"\nsubfolder = "s"\nllm_int8_threshold = 2.0\n'
        '[llm]\nmodel = "large"\nrevision = "a"\nmax_length = 64\n'
        '[slm]\nmodel = "small"\nrevision = "b"\ndtype = "float64"\n'
    )

    def loading(**typed: Any) -> dict[str, dict[str, Any]]:
        found = parse({"config": str(file), "device": "cpu", **typed})
        both = {"slm": found.slm_loading, "llm": found.llm_loading}
        names = ("dtype", "revision", "subfolder", "max_length", "llm_int8_threshold")
        return {m: {n: d[n] for n in names if n in d} for m, d in both.items()}

    shared = {"dtype": "float16", "llm_int8_threshold": 2.0}
    whole = {
        "slm": shared | {"dtype": "float64", "revision": "b"},
        "llm": shared | {"revision": "a", "subfolder": "s", "max_length": 64},
    }
    assert loading() == loading(slm="small", pretrained="large") == whole
    assert loading(**{replaced: "other"}) == whole | {replaced: shared}
    typed = {replaced: "other", f"{replaced}_revision": "c"}
    assert loading(**typed) == whole | {replaced: shared | {"revision": "c"}}


def test_flags_of_lm_eval_win_over_a_file_unless_they_are_defaults(
    tmp_path: Path, warnings: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "c.toml"
    file.write_text('batch_size = 3\ndevice = "cuda:1"\n[slm]\ndevice = "cuda:2"\n')
    named = {"config": str(file)}
    defaults = {"batch_size": 1, "device": "cuda:0"}
    expected = {"batch_size": 3, "device": "cuda:1", "slm_device": "cuda:2"}
    assert with_flags(named, defaults) == expected
    typed = {"batch_size": "1", "device": "cpu", "max_batch_size": 7}
    assert with_flags(named, typed) == typed
    assert not warnings.records
