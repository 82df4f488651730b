"""Model arguments as they are given: with synonyms, a config file, lm_eval's flags."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..errors import ArgumentError
from .argument_names import FLAG_DEFAULTS, LLM_ONLY, SYNONYMS, is_argument, owner
from .calibration_file import with_calibration
from .config_file import read_config
from .processes import warn

logger = logging.getLogger(__name__)


def canonical(given: Mapping[str, Any]) -> dict[str, Any]:
    """Replace synonyms; an argument of None counts as not given.

    But None may be the value of a strategy's option.

    :raises ArgumentError: two synonyms have different values.
    """
    result: dict[str, Any] = {}
    for name, value in given.items():
        known = SYNONYMS.get(name, name)
        if value is None and is_argument(known):
            continue
        if known in result and result[known] is not value and result[known] != value:
            raise ArgumentError(
                f"{name}={value!r} contradicts {known}={result[known]!r}: expected one "
                "value\nleave one of the two out"
            )
        result[known] = value
    return result


def flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """Replace synonyms, the config file and the calibration by what they stand for.

    What was given wins over what the file says, a calibration that was given included.
    """
    named = canonical(given)
    path = named.pop("config", None)
    if path is None:
        return with_calibration(named)
    from_file = canonical(read_config(str(path)))
    options = from_file.pop("strategy_options", {})
    if "calibration" in named:
        named = with_calibration(named, from_file)
        from_file.pop("calibration", None)
    # what the file says of a model or a strategy belongs to the one in the file
    kept = {n: v for n, v in from_file.items() if _holds(owner(n), from_file, named)}
    if _holds("strategy", from_file, named):
        kept |= options
    return with_calibration(_unsaid(kept, named) | named)


def _holds(name: str, from_file: Mapping[str, Any], named: Mapping[str, Any]) -> bool:
    """Tell whether a model or strategy of the file was replaced by no other one."""
    of_file = from_file.get(name)
    return bool(of_file is None or named.get(name, of_file) == of_file)


def _unsaid(from_file: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the file has for one model and was given for both."""
    of_llm = {f"llm_{name}" for name in named}
    of_slm = {f"slm_{name}" for name in named if name not in LLM_ONLY}
    return {n: v for n, v in from_file.items() if n not in of_llm | of_slm}


def with_flags(given: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Add what lm_eval's own flags say; the model arguments win.

    ``flags`` are ``batch_size``, ``max_batch_size`` and ``device``. lm_eval always
    passes its defaults, so a flag that equals its default was not given: it loses to
    a config file as well.
    """
    named, left = canonical(given), {}
    for name, value in canonical(flags).items():
        if value == FLAG_DEFAULTS.get(name):
            left[name] = value
            continue
        said = named.setdefault(name, value)
        if str(said) != str(value):
            warn(
                logger,
                "%s=%r of the model arguments is used, not --%s %s of the command line",
                name,
                said,
                name,
                value,
            )
    return left | flat(named)
