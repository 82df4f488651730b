"""``calibration=FILE.json``: a strategy with the threshold that was chosen for it.

Written by ``hybridlm calibrate``. What else stands in the model arguments overrides it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import ArgumentError
from .processes import warn

logger = logging.getLogger(__name__)

FORMAT = 1


def with_calibration(
    named: Mapping[str, Any], under: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Replace ``calibration`` by the strategy and the options in the file.

    A calibration holds for one pair; another one is warned of.

    :param under: what holds where ``named`` says nothing.
    :raises ArgumentError: the file cannot be read, is none of ours, or is for another
        strategy than the arguments name.
    """
    given = dict(named)
    path = given.pop("calibration", None)
    if path is None:
        return given
    said = _read(str(path))
    if given.get("strategy", said["strategy"]) != said["strategy"]:
        raise ArgumentError(
            f"calibration={str(path)!r} is for strategy {said['strategy']!r}: expected "
            f"one for {given['strategy']!r}\nleave out one of the two"
        )
    pair = {**under, **given}
    for role, name in said["pair"].items():
        if str(pair.get(role)) != name:
            warn(
                logger,
                "calibration=%r was made with %s=%r, not %r: its LLM share may differ",
                str(path),
                role,
                name,
                str(pair.get(role)),
            )
    return {"strategy": said["strategy"], **said["options"], **given}


def _read(path: str) -> dict[str, Any]:
    try:
        said = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"calibration={path!r} cannot be read: {error}\n"
            "expected a file that hybridlm calibrate wrote"
        ) from None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        found = said.get("format") if isinstance(said, dict) else None
        raise ArgumentError(
            f"calibration={path!r} is of format {found!r}: expected {FORMAT}, as "
            "hybridlm calibrate writes it"
        )
    return said
