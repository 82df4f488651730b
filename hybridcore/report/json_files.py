"""Reading files that others wrote, and that may be cut off or something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ReportError
from .notes import Notes


def read_json(path: Path) -> Any:
    """Read a file of JSON.

    :raises ReportError: it cannot be read, or is cut off.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ReportError(f"{str(path)!r} cannot be read: {reason}") from None
    except (ValueError, RecursionError) as error:  # bad UTF-8 is a ValueError
        raise ReportError(
            f"{str(path)!r} is not complete JSON: {_first_line(error)}"
        ) from None


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    :raises ReportError: it cannot be read, is cut off, or holds something else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise ReportError(
            f"{str(path)!r}: expected a JSON object, got {type(content).__name__}"
        )
    return content


def read_lines(path: Path, notes: Notes) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON-lines file; bad lines are left out, and noted."""
    bad: list[int] = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                content = _object(line)
                if content is not None:
                    yield content
                elif line.strip():
                    bad.append(number)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        notes.add(f"{str(path)!r} cannot be read: {reason}; it is left out")
    if bad:
        notes.add(_left_out(path, bad))


def first_object(path: Path) -> dict[str, Any] | None:
    """Return the first object of a JSON-lines file, None where it has none.

    :raises ReportError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return next((found for line in file if (found := _object(line))), None)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ReportError(f"{str(path)!r} cannot be read: {reason}") from None


def _object(line: str) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _left_out(path: Path, numbers: list[int]) -> str:
    which = f"line {numbers[0]}"
    if len(numbers) > 1:
        which = f"{len(numbers)} lines, the first of them {numbers[0]},"
    verb = "are" if len(numbers) > 1 else "is"
    return f"{str(path)!r}: {which} {verb} not complete JSON: left out"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
