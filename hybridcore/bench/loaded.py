"""Loads both sides' models, each its own copy: ours may repack its weights."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import torch

from ..harness.hybrid_lm import HybridLM
from .machine import Machine
from .transformers_side import AssistedHFLM, load_hflm
from .workload import Selection


@dataclass(frozen=True)
class Loaded:
    """A pair behind HybridLM, and the LLM behind HFLM."""

    base: HybridLM
    hflm: AssistedHFLM

    def machine(self) -> Machine:
        """Return the machine that the models are on, nothing measured yet."""
        return Machine(torch.device(self.hflm.device), self.hflm.model.dtype)


def load(arguments: argparse.Namespace, slm: Any = None) -> Loaded:
    """Load what the command line names; ``slm`` is a model in place of a name."""
    return Loaded(
        base=load_pair(arguments, slm),
        hflm=load_hflm(arguments.llm, arguments.device, arguments.dtype),
    )


def load_pair(arguments: argparse.Namespace, slm: Any = None) -> HybridLM:
    """Load HybridLM alone."""
    return HybridLM(
        slm=slm or arguments.slm,
        llm=arguments.llm,
        strategy="llm-only",
        device=arguments.device,
        dtype=arguments.dtype,
        batch_size=arguments.batch_size,
        compile=arguments.compile,
    )


def selection(arguments: argparse.Namespace) -> Selection:
    """Read which documents of which tasks were asked for."""
    return Selection(
        tasks=arguments.tasks,
        include_path=arguments.include_path,
        limit=arguments.limit,
        num_fewshot=arguments.num_fewshot,
        sampler=arguments.sampler,
        max_gen_toks=arguments.max_gen_toks,
    )
