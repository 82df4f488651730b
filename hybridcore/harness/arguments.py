"""The model arguments of HybridLM, in one place.

=====================  ===============================================================
``slm``, ``llm``       the two models: hub ids, folders, ``demo-slm``/``demo-llm``, or
                       loaded models. Synonyms: ``slm_model_id``, ``llm_model_id``,
                       ``pretrained`` (the LLM). Without need for an SLM it may miss.
``strategy``           a name, ``distribution:name``, or an instance [uncertainty]
*option*               any option that the strategy declares (``threshold``, ...)
``scoring``            ``llm``: log p, as lm_eval's HFLM; ``strategy``: the log of the
                       law that the strategy induces [llm]
``trace``              a ``.jsonl`` file that gets one line for each request
``seed``               of sampling [the torch seed, which lm_eval sets by ``--seed``]
``config``             a TOML file with more of these: see :mod:`.config_file`
``dtype``              [float16, on a CPU float32]
``device``             [cuda, where there is none the CPU]
``batch_size``         rows in flight, or ``auto`` [1]
*HFLM argument*        everything else that lm_eval's ``HFLM`` takes, for both models
*loading argument*     what ``from_pretrained`` takes: :data:`LOADING`
``slm_``\\ *x*          *x* for the small model alone
``llm_``\\ *x*          *x* for the large model alone
=====================  ===============================================================

Arguments that speak of one repository or of one model's placement
(:data:`LLM_ONLY`) are the LLM's; the SLM has its own as ``slm_``\\ *x*.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from lm_eval.models.huggingface import HFLM
from transformers import PreTrainedModel

from ..discovery import create, load_class
from ..errors import ArgumentError, did_you_mean
from ..options import option_fields
from ..strategy import Strategy
from .config_file import read_config
from .placement import fell_back, placed

logger = logging.getLogger(__name__)

Model: TypeAlias = str | PreTrainedModel
Scoring = Literal["llm", "strategy"]

DEFAULT_STRATEGY = "uncertainty"
SYNONYMS = {
    "slm_model_id": "slm",
    "llm_model_id": "llm",
    "pretrained": "llm",
    "torch_dtype": "dtype",
    "slm_torch_dtype": "slm_dtype",
    "llm_torch_dtype": "llm_dtype",
}
OURS = ("slm", "llm", "strategy", "scoring", "trace", "seed", "config")
LOADING = (
    "attn_implementation",
    "experts_implementation",
    "quantization_config",
    "load_in_4bit",
    "load_in_8bit",
    "bnb_4bit_compute_dtype",
    "bnb_4bit_quant_type",
    "bnb_4bit_quant_storage",
    "bnb_4bit_use_double_quant",
    "llm_int8_threshold",
    "llm_int8_skip_modules",
    "llm_int8_enable_fp32_cpu_offload",
    "llm_int8_has_fp16_weight",
    "low_cpu_mem_usage",
    "device_map",
    "max_memory",
    "offload_buffers",
    "cache_dir",
    "code_revision",
    "force_download",
    "local_files_only",
    "proxies",
    "token",
    "use_safetensors",
    "variant",
    "weights_only",
    "use_kernels",
    "key_mapping",
)
LLM_ONLY = frozenset(
    (
        "revision",
        "subfolder",
        "peft",
        "delta",
        "gguf_file",
        "autogptq",
        "gptqmodel",
        "parallelize",
        "tp_plan",
        "device_map",
        "max_memory",
        "max_memory_per_gpu",
        "max_cpu_memory",
    )
)
# options of the seed's signature: given to a strategy without them, they only warn
LENIENT = ("threshold", "num_drafts")
_FLAG_DEFAULTS = {"batch_size": 1, "device": "cuda:0"}
_OF_THE_PAIR = frozenset(("batch_size", "max_batch_size"))
HFLM_ARGUMENTS = tuple(
    name
    for name, parameter in inspect.signature(HFLM.__init__).parameters.items()
    if name not in ("self", "pretrained")
    and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
)


@dataclass(frozen=True)
class Arguments:
    """What the user asked for, checked and sorted by who reads it.

    ``slm_loading`` and ``llm_loading`` are arguments of ``HFLM``, ``pretrained``
    left out; ``seed`` is None where torch's seed decides.
    """

    slm: Model | None
    llm: Model
    strategy: Strategy
    scoring: Scoring = "llm"
    trace: str | None = None
    seed: int | None = None
    slm_loading: Mapping[str, Any] = field(default_factory=dict)
    llm_loading: Mapping[str, Any] = field(default_factory=dict)


def parse(given: Mapping[str, Any]) -> Arguments:
    """Sort model arguments into what each part reads.

    :raises ArgumentError: one is missing, unknown, contradicted or out of range.
    :raises StrategyError: the strategy cannot be had.
    """
    named = flat(given)
    chosen = named.pop("strategy", None) or DEFAULT_STRATEGY
    options, named = _split_options(chosen, named)
    strategy = create(chosen, options)
    ours = {name: named.pop(name) for name in OURS if name in named}
    loading = _split_loading(named, _known(strategy))
    slm, llm = _pair(ours, strategy)
    return Arguments(
        slm=slm,
        llm=llm,
        strategy=strategy,
        scoring=_scoring(ours.get("scoring")),
        trace=None if ours.get("trace") is None else str(ours["trace"]),
        seed=_seed(ours.get("seed")),
        slm_loading=loading["slm"],
        llm_loading=loading["llm"],
    )


def canonical(given: Mapping[str, Any]) -> dict[str, Any]:
    """Replace synonyms; an argument of None counts as not given.

    :raises ArgumentError: two synonyms have different values.
    """
    result: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        known = SYNONYMS.get(name, name)
        if known in result and result[known] is not value and result[known] != value:
            raise ArgumentError(
                f"{name}={value!r} contradicts {known}={result[known]!r}: expected one "
                "value\nleave one of the two out"
            )
        result[known] = value
    return result


def flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """Replace synonyms and the config file by what they stand for."""
    named = canonical(given)
    path = named.pop("config", None)
    if path is None:
        return named
    from_file = canonical(read_config(str(path)))
    options = from_file.pop("strategy_options", {})
    of_file = from_file.get("strategy")
    # options in the file belong to the strategy in the file
    if of_file is None or named.get("strategy", of_file) == of_file:
        from_file |= options
    return from_file | named


def with_flags(given: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Add what lm_eval's own flags say; the model arguments win.

    ``flags`` are ``batch_size``, ``max_batch_size`` and ``device``. lm_eval always
    passes its defaults, so a flag that equals its default was not given.
    """
    named = flat(given)
    for name, value in canonical(flags).items():
        said = named.setdefault(name, value)
        if str(said) != str(value) and value != _FLAG_DEFAULTS.get(name):
            logger.warning(
                "%s=%r of the model arguments is used, not --%s %s of the command line",
                name,
                said,
                name,
                value,
            )
    return named


def _split_options(
    strategy: str | Strategy, named: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    if not isinstance(strategy, (str, Strategy)):
        raise ArgumentError(
            f"strategy={strategy!r}: expected a name or a Strategy instance"
        )
    kind = load_class(strategy) if isinstance(strategy, str) else type(strategy)
    declared = option_fields(kind)
    options = {name: value for name, value in named.items() if name in declared}
    # ``seed`` and the like may be ours as well: then both get it
    both = (*OURS, *HFLM_ARGUMENTS)
    rest = {n: v for n, v in named.items() if n not in declared or n in both}
    for name in LENIENT:
        if name in rest:
            logger.warning(
                "%s=%r ignored: strategy %s has no such option",
                name,
                rest.pop(name),
                strategy if isinstance(strategy, str) else kind.__name__,
            )
    if isinstance(strategy, Strategy):
        options = {name: value for name, value in options.items() if name not in both}
    return options, rest


def _split_loading(
    named: Mapping[str, Any], known: Iterable[str]
) -> dict[str, dict[str, Any]]:
    shared: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {"slm": {}, "llm": {}}
    for name, value in named.items():
        model, _, bare = name.partition("_")
        if name in HFLM_ARGUMENTS or name in LOADING:
            shared[name] = value
        elif model in own and _may_differ(bare):
            own[model][bare] = value
        else:
            _refuse(name, known)
    for_slm = {name: value for name, value in shared.items() if name not in LLM_ONLY}
    wanted = {"slm": for_slm | own["slm"], "llm": shared | own["llm"]}
    if any(fell_back(arguments) for arguments in wanted.values()):
        logger.warning(
            "device cuda is not available: running on the CPU, in float32 where the "
            "dtype was float16"
        )
    return {model: placed(arguments) for model, arguments in wanted.items()}


def _may_differ(name: str) -> bool:
    return (name in HFLM_ARGUMENTS or name in LOADING) and name not in _OF_THE_PAIR


def _refuse(name: str, known: Iterable[str]) -> None:
    names = list(known)
    prefixed = [f"{m}_{n}" for m in ("slm", "llm") for n in names if _may_differ(n)]
    raise ArgumentError(
        f"unknown model argument {name!r}{did_you_mean(name, [*names, *prefixed])}\n"
        f"known: {', '.join(names)}; and slm_<name>, llm_<name> for one model alone"
    )


def _known(strategy: Strategy) -> list[str]:
    options = list(option_fields(type(strategy)))
    return list(dict.fromkeys([*OURS, *SYNONYMS, *options, *HFLM_ARGUMENTS, *LOADING]))


def _pair(ours: Mapping[str, Any], strategy: Strategy) -> tuple[Model | None, Model]:
    slm, llm = ours.get("slm"), ours.get("llm")
    if llm is None:
        raise ArgumentError(
            "llm is missing: expected the large model\n"
            "add llm=<hub id or folder> to the model arguments"
        )
    if slm is None and "slm" in strategy.requires:
        raise missing_slm(strategy)
    return _model("slm", slm), _model("llm", llm)


def missing_slm(strategy: Strategy) -> ArgumentError:
    """Return the error of a strategy that has no small model to read."""
    return ArgumentError(
        f"slm is missing: strategy {type(strategy).__name__} reads the small model\n"
        "add slm=<hub id or folder> to the model arguments"
    )


def _model(name: str, value: Any) -> Any:
    if value is None or isinstance(value, torch.nn.Module):
        return value
    if isinstance(value, (bool, list, dict)):
        raise ArgumentError(
            f"{name}={value!r}: expected a hub id, a folder or a loaded model"
        )
    return str(value)


def _scoring(value: Any) -> Scoring:
    if value in (None, "llm"):
        return "llm"
    if value == "strategy":
        return "strategy"
    raise ArgumentError(f"scoring={value!r}: expected 'llm' or 'strategy'")


def _seed(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ArgumentError(f"seed={value!r}: expected a whole number")
