"""Chooses what records the short reads of a model, by where it is."""

from __future__ import annotations

from typing import Any

from torch import nn

from .compiled_steps import CompiledSteps
from .cuda_recorder import CudaGraphs
from .recorder import Recorder


def recorder_of(model: Any, cuda_graphs: bool, compiles: bool) -> Recorder | None:
    """Return a recorder for a model on one device; None where none is wanted.

    :param cuda_graphs: record what is on a GPU.
    :param compiles: compile the steps of what is on a CPU.
    """
    devices = {parameter.device for parameter in model.parameters()}
    kinds = {device.type for device in devices}
    if kinds == {"cuda"} and len(devices) == 1 and cuda_graphs:
        return CudaGraphs(devices.pop())
    # packed layers leave parameters without storage behind, as those do whose weights
    # a hook of accelerate fetches
    if kinds - {"meta"} == {"cpu"} and compiles and not _hooked(model):
        return CompiledSteps()
    return None


def _hooked(model: nn.Module) -> bool:
    return any(hasattr(module, "_hf_hook") for module in model.modules())
