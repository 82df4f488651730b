"""Where and in which precision a model runs, and how many rows at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from ..errors import ArgumentError
from .argument_values import checked_values


def placed(loading: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in device, dtype and batch size, and check all values.

    Without a GPU, ``cuda`` becomes ``cpu``; on a CPU float16 becomes float32 unless
    the CPU was asked for with that very dtype.

    :raises ArgumentError: a value is none of the possible ones.
    """
    device = _checked_device(str(loading.get("device", "cuda")))
    missing = fell_back(loading)
    if missing:
        device = "cpu"
    values = checked_values(loading)
    dtype = values.get("dtype")
    if dtype is None or (missing and dtype == "float16"):
        dtype = "float32" if device == "cpu" else "float16"
    return {
        **values,
        "device": device,
        "dtype": dtype,
        "batch_size": _checked_batch_size(loading.get("batch_size", 1)),
    }


def fell_back(asked: Mapping[str, Any]) -> bool:
    """Tell whether ``cuda`` was meant where there is none."""
    wanted = str(asked.get("device", "cuda"))
    return wanted.startswith("cuda") and not torch.cuda.is_available()


def _checked_device(name: str) -> str:
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type == "meta":
        raise ArgumentError(
            f"device={name!r}: expected cpu, cuda, cuda:<number> or mps"
        )
    if device.type == "cpu":
        return "cpu"  # HFLM would take cpu:0 for no device at all
    if device.type == "cuda" and not torch.cuda.is_available():
        return name
    _check_present(name, device)
    return name


def _check_present(name: str, device: torch.device) -> None:
    module = torch.get_device_module(device.type)
    count = module.device_count()
    if not module.is_available() or (device.index and device.index >= count):
        raise ArgumentError(
            f"device={name!r}: this machine has {count} of {device.type}\n"
            "name a device that is there, or cpu"
        )


def _checked_batch_size(size: Any) -> int | str:
    text = str(size)
    if text.isdecimal() and int(text) > 0:
        return int(text)
    if re.fullmatch(r"auto(:\d+(\.\d+)?)?", text):
        return "auto"
    raise ArgumentError(
        f"batch_size={size!r}: expected a positive whole number or auto"
    )
