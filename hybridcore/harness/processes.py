"""Which of several data-parallel processes this is.

lm_eval 0.4.13 splits the documents by ``rank`` and ``world_size``, which ``HFLM``
sets only where it sees more than one GPU, and by the process's index on its own
host. Here they are the global ones, on any device.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from accelerate import Accelerator
from accelerate.state import PartialState


def is_main() -> bool:
    """Tell whether this is the only process, or the first of several."""
    return int(os.environ.get("RANK", "0")) == 0


def warn(logger: logging.Logger, message: str, *args: Any) -> None:
    """Warn once for all processes."""
    if is_main():
        logger.warning(message, *args)


def join(lm: Any) -> None:
    """Set rank, world size and accelerator of an ``HFLM`` that was launched so.

    A model that tensor parallelism spreads over the processes is one model.
    """
    if getattr(lm.model, "tp_size", None) or PartialState().num_processes == 1:
        return
    if not hasattr(lm, "accelerator"):
        lm.accelerator = Accelerator()
    lm._rank = lm.accelerator.process_index
    lm._world_size = lm.accelerator.num_processes
