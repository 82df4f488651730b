"""Keeps lm_eval's ``--use_cache`` from mixing up models.

lm_eval keys its response cache by the request alone, so two pairs or strategies that
share a file silently exchange answers. Here the file is stamped with what answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import CacheMismatch

STAMP = "hybridlm:fingerprint"


def guard(database: Any, fingerprint: Mapping[str, str]) -> bool:
    """Stamp an empty cache; let through only one with the same stamp.

    :param database: the ``SqliteDict`` of lm_eval, or any mapping.
    :returns: whether it has answers already.
    :raises CacheMismatch: the cache was written by another set-up.
    """
    stamp = database.get(STAMP)
    if stamp is None and len(database):
        _refuse(database, "it has answers of an unknown model")
    elif stamp is None:
        database[STAMP] = dict(fingerprint)
    elif differences := _differences(stamp, fingerprint):
        _refuse(database, differences)
    return len(database) > 1


def counted(database: Any, hit: Callable[[], None]) -> None:
    """Call ``hit`` whenever lm_eval takes an answer out of its ``SqliteDict``."""
    decode = getattr(database.decode, "uncounted", database.decode)

    def counting(stored: Any) -> Any:
        hit()
        return decode(stored)

    counting.uncounted = decode  # type: ignore[attr-defined]
    database.decode = counting


def _differences(stamp: Mapping[str, str], mine: Mapping[str, str]) -> str:
    return ", ".join(
        f"{name} is {stamp.get(name)} there and {mine.get(name)} here"
        for name in {**stamp, **mine}
        if _key(stamp.get(name)) != _key(mine.get(name))
    )


def _key(value: str | None) -> str | None:
    """Return what counts of a value: of a model its digest, not its name."""
    digest = re.search(r" \[(\w+)\]$", value or "")
    return digest[1] if digest else value


def _refuse(database: Any, reason: str) -> None:
    path = getattr(database, "filename", "the cache")
    if hasattr(database, "close"):
        database.close()
    raise CacheMismatch(
        f"response cache {path!r} belongs to another set-up: {reason}\n"
        "name another file with --use_cache, or delete this one"
    )
