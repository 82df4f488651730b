"""The values of HFLM's arguments: checked here, where a bad one is a line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM

from ..errors import ArgumentError

_WORDS = {"true": True, "1": True, "false": False, "0": False}
_BACKENDS = ("default", "causal", "seq2seq")
_LEAST = {"max_length": 1, "max_batch_size": 1, "prefix_token_id": 0}


def checked_values(loading: Mapping[str, Any]) -> dict[str, Any]:
    """Return loading arguments with words turned into what they say.

    :raises ArgumentError: a value is none of the possible ones.
    """
    return {
        name: value if value is None else _CHECKS.get(name, _as_it_is)(name, value)
        for name, value in loading.items()
    }


def switch(name: str, value: Any) -> bool:
    """Return true or false.

    :raises ArgumentError: it is neither.
    """
    if isinstance(value, bool):
        return value
    if str(value).lower() in _WORDS:
        return _WORDS[str(value).lower()]
    raise ArgumentError(f"{name}={value!r}: expected true or false")


def dtype_named(name: str, value: Any) -> str:
    """Return the name of a floating-point type.

    :raises ArgumentError: it is none.
    """
    text = str(value).removeprefix("torch.")
    found = getattr(torch, text, None)
    if isinstance(found, torch.dtype) and found.is_floating_point:
        return text
    auto = "auto, " if name == "dtype" else ""
    raise ArgumentError(
        f"{name}={value!r}: expected {auto}float32, float16, bfloat16 or another "
        "floating-point type of torch"
    )


def _dtype_or_auto(name: str, value: Any) -> str:
    return "auto" if value == "auto" else dtype_named(name, value)


def _whole(name: str, value: Any) -> int:
    least = _LEAST[name]
    text = str(value)
    if not isinstance(value, float) and text.isdecimal() and int(text) >= least:
        return int(text)
    wanted = "a positive whole number" if least else "a token id"
    raise ArgumentError(f"{name}={value!r}: expected {wanted}")


def _backend(name: str, value: Any) -> Any:
    if value in _BACKENDS:
        return value
    raise ArgumentError(f"{name}={value!r}: expected one of {', '.join(_BACKENDS)}")


def _mapping(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    raise ArgumentError(
        f"{name}={value!r}: expected a table of names and values\n"
        "write it as a table in a file, and name that with config=FILE.toml"
    )


def _quantization(name: str, value: Any) -> Any:
    return value if hasattr(value, "quant_method") else _mapping(name, value)


def _tokenizer(name: str, value: Any) -> Any:
    if isinstance(value, str) or hasattr(value, "decode"):
        return value
    raise ArgumentError(f"{name}={value!r}: expected a hub id, a folder or a tokenizer")


def _as_it_is(name: str, value: Any) -> Any:
    return value


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    **{
        name: switch
        for name, parameter in inspect.signature(HFLM.__init__).parameters.items()
        if parameter.annotation in ("bool", "bool | None", bool)
    },
    **dict.fromkeys(("load_in_4bit", "load_in_8bit", "local_files_only"), switch),
    **dict.fromkeys(_LEAST, _whole),
    "dtype": _dtype_or_auto,
    "softmax_dtype": dtype_named,
    "mixed_precision_dtype": dtype_named,
    "backend": _backend,
    "tokenizer": _tokenizer,
    "chat_template_args": _mapping,
    "quantization_config": _quantization,
}
