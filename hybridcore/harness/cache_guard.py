"""Keeps lm_eval's ``--use_cache`` from mixing up models.

lm_eval keys its response cache by the request alone, so two pairs or strategies that
share a file silently exchange answers. Here the file is stamped with what answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import CacheMismatch

STAMP = "hybridlm:fingerprint"


def guard(database: Any, fingerprint: Mapping[str, str]) -> None:
    """Stamp an empty cache; let through only one with the same stamp.

    :param database: the ``SqliteDict`` of lm_eval, or any mapping.
    :raises CacheMismatch: the cache was written by another set-up.
    """
    stamp = database.get(STAMP)
    if stamp is None and len(database):
        _refuse(database, "it has answers of an unknown model")
    elif stamp is None:
        database[STAMP] = dict(fingerprint)
    elif differences := _differences(stamp, fingerprint):
        _refuse(database, differences)


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
