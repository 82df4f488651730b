"""Keeps lm_eval's ``--use_cache`` from mixing up models.

lm_eval keys its response cache by the request alone, so two pairs or strategies that
share a file silently exchange answers. Here the file is stamped with what answered.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from ..errors import CacheMismatch

STAMP = "hybridlm:fingerprint"


def guard(database: Any, fingerprint: Mapping[str, str]) -> bool:
    """Stamp an empty cache; let through only one with the same stamp.

    :param database: the ``SqliteDict`` of lm_eval.
    :returns: whether it has answers already.
    :raises CacheMismatch: the cache was written by another set-up, or is damaged.
    """
    _check_pages(database.filename)
    stamp = _stamp(database)
    if stamp is None and len(database):
        _refuse(database, "it has answers of an unknown model")
    elif stamp is None:
        database[STAMP] = dict(fingerprint)
    elif differences := _differences(stamp, fingerprint):
        _refuse(database, differences)
    return len(database) > 1


def counted(database: Any, hit: Callable[[], None]) -> None:
    """Call ``hit`` whenever lm_eval takes an answer out of its ``SqliteDict``.

    An answer that is damaged there raises :class:`CacheMismatch`.
    """
    decode = getattr(database.decode, "uncounted", database.decode)

    def counting(stored: Any) -> Any:
        answer = _reading(database, lambda: decode(stored))
        hit()
        return answer

    counting.uncounted = decode  # type: ignore[attr-defined]
    database.decode = counting


def _stamp(database: Any) -> Any:
    """Return the stamp, None where there is none."""
    return _reading(database, lambda: database.get(STAMP))


def _reading(database: Any, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # whatever unpickling raises for damaged bytes
        raise damaged(database.filename, error) from error


def _check_pages(path: str) -> None:
    try:
        with closing(sqlite3.connect(path)) as file:
            (found,) = file.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    if found != "ok":
        raise damaged(path, sqlite3.DatabaseError(" ".join(found.split())))


def damaged(path: str, error: Exception) -> CacheMismatch:
    """Return the error of a cache that cannot be read."""
    return CacheMismatch(
        f"response cache {path!r} is damaged: {error or type(error).__name__}\n"
        "delete it, or name another file with --use_cache"
    )


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
    database.close()
    raise CacheMismatch(
        f"response cache {database.filename!r} belongs to another set-up: {reason}\n"
        "name another file with --use_cache, or delete this one"
    )
