"""Tells a broken model by its logits."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ModelError


def check_finite(role: str, best: Sequence[float]) -> None:
    """Raise :class:`ModelError` where the model is broken: NaN or overflow.

    :param role: ``"slm"`` or ``"llm"``, for the message.
    :param best: the largest logits of some positions.
    """
    bad = next((value for value in best if not math.isfinite(value)), None)
    if bad is not None:
        raise ModelError(
            f"the {role.upper()}'s logits are {bad!r}: expected finite numbers\n"
            "load it with dtype=bfloat16 or float32 if it was float16, else check its "
            "weights"
        )
