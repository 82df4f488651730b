"""Which of several data-parallel processes this is.

lm_eval 0.4.13 splits the documents by ``rank`` and ``world_size``, which ``HFLM``
sets only where it sees more than one GPU, and by the process's index on its own
host. Here they are the global ones, on any device.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import PartialState


def own_rank() -> int | None:
    """Return the index of this process among several, None where it is alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return None
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Tell whether this is the only process, or the first of several."""
    return not own_rank()


def warn(logger: logging.Logger, message: str, *args: Any) -> None:
    """Warn once for all processes."""
    if is_main():
        logger.warning(message, *args)


def prepare() -> None:
    """Let accelerate see several processes on a machine without a GPU.

    ``torchrun`` and ``accelerate launch --multi_gpu`` start them; accelerate joins
    them on CPUs only where this variable says so. (``accelerate launch --cpu`` starts
    a single one, whatever its ``--num_processes``, unless MPI does.)
    """
    if own_rank() is not None and not torch.cuda.is_available():
        os.environ.setdefault("ACCELERATE_USE_CPU", "true")


def join(lm: Any) -> None:
    """Set rank, world size and accelerator of an ``HFLM`` among several processes."""
    if PartialState().num_processes == 1:
        return
    if not hasattr(lm, "accelerator"):
        lm.accelerator = Accelerator()
    lm._rank = lm.accelerator.process_index
    lm._world_size = lm.accelerator.num_processes
