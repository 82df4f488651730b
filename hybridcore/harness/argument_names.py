"""The names of model arguments: whose each is, and what to say of one unknown."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from lm_eval.models.huggingface import HFLM

from ..errors import ArgumentError, did_you_mean

SYNONYMS = {
    "slm_model_id": "slm",
    "llm_model_id": "llm",
    "pretrained": "llm",
    "torch_dtype": "dtype",
    "slm_torch_dtype": "slm_dtype",
    "llm_torch_dtype": "llm_dtype",
}
OURS = (
    "slm",
    "llm",
    "strategy",
    "scoring",
    "trace",
    "seed",
    "config",
    "calibration",
    "adaptive",
    "pack",
    "cuda_graphs",
    "compile",
)
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
FLAG_DEFAULTS = {"batch_size": 1, "device": "cuda:0"}
_OF_THE_PAIR = frozenset(("batch_size", "max_batch_size"))
HFLM_ARGUMENTS = tuple(
    name
    for name, parameter in inspect.signature(HFLM.__init__).parameters.items()
    if name not in ("self", "pretrained")
    and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
)


def split_loading(
    named: Mapping[str, Any], known: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Return the loading arguments of ``"slm"`` and of ``"llm"``.

    :param known: every name that is valid with this strategy, for the message.
    :raises ArgumentError: a name is none of them.
    """
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
    return {"slm": for_slm | own["slm"], "llm": shared | own["llm"]}


def is_argument(name: str) -> bool:
    """Tell whether a name is one of ours or of loading, of both models or of one."""
    _, _, bare = name.partition("_")
    ours = name in OURS or name in LENIENT or name in HFLM_ARGUMENTS or name in LOADING
    return ours or (name.startswith(("slm_", "llm_")) and _may_differ(bare))


def owner(name: str) -> str:
    """Return the model that a name is of alone, ``"slm"`` or ``"llm"``, else ``""``."""
    if name in LLM_ONLY:
        return "llm"
    model, _, bare = name.partition("_")
    alone = name not in LOADING and model in ("slm", "llm") and _may_differ(bare)
    return model if alone else ""


def _may_differ(name: str) -> bool:
    return (name in HFLM_ARGUMENTS or name in LOADING) and name not in _OF_THE_PAIR


def _refuse(name: str, known: Iterable[str]) -> None:
    names = list(known)
    prefixed = [f"{m}_{n}" for m in ("slm", "llm") for n in names if _may_differ(n)]
    raise ArgumentError(
        f"unknown model argument {name!r}{did_you_mean(name, [*names, *prefixed])}\n"
        f"known: {', '.join(names)}; and slm_<name>, llm_<name> for one model alone"
    )


def known_names(options: Iterable[str]) -> list[str]:
    """Return every valid name, with those of the strategy's options."""
    return list(dict.fromkeys([*OURS, *SYNONYMS, *options, *HFLM_ARGUMENTS, *LOADING]))
