"""Where and in which precision a model runs, and how many rows at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch

from ..errors import ArgumentError

logger = logging.getLogger(__name__)


def placed(loading: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in device, dtype and batch size, and check them.

    Without a GPU, ``cuda`` becomes ``cpu``; on a CPU float16 becomes float32 unless
    the CPU was asked for with that very dtype.

    :raises ArgumentError: a value is none of the possible ones.
    """
    device = str(loading.get("device", "cuda"))
    dtype = loading.get("dtype")
    missing = device.startswith("cuda") and not torch.cuda.is_available()
    if missing:
        device = "cpu"
    if dtype is None or (missing and _named(dtype) == "float16"):
        dtype = "float32" if device == "cpu" else "float16"
    return {
        **loading,
        "device": _checked_device(device),
        "dtype": _checked_dtype(dtype),
        "batch_size": _checked_batch_size(loading.get("batch_size", 1)),
    }


def fell_back(asked: Mapping[str, Any]) -> bool:
    """Tell whether ``cuda`` was meant where there is none."""
    wanted = str(asked.get("device", "cuda"))
    return wanted.startswith("cuda") and not torch.cuda.is_available()


def _named(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _checked_device(device: str) -> str:
    try:
        torch.device(device)
    except RuntimeError:
        raise ArgumentError(
            f"device={device!r}: expected cpu, cuda, cuda:<number> or mps"
        ) from None
    return device


def _checked_dtype(dtype: Any) -> Any:
    name = _named(dtype)
    if name == "auto" or isinstance(getattr(torch, name, None), torch.dtype):
        return name
    raise ArgumentError(
        f"dtype={dtype!r}: expected auto, float32, float16, bfloat16 or another "
        "dtype of torch"
    )


def _checked_batch_size(size: Any) -> int | str:
    text = str(size)
    if text.isdecimal() and int(text) > 0:
        return int(text)
    if text == "auto" or text.startswith("auto:"):
        return "auto"
    raise ArgumentError(
        f"batch_size={size!r}: expected a positive whole number or auto"
    )
