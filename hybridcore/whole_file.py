"""Writing a file whole or not at all."""

from __future__ import annotations

from pathlib import Path


def new_name(path: Path) -> Path:
    """Return where a file is written before it takes the place of ``path``."""
    return path.with_name(f".{path.name}.new")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that no reader ever sees a part of it; text is UTF-8.

    A pipe or a device, such as ``/dev/stdout``, is written to and stays what it is.

    :raises OSError: it cannot be written; what was there before is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = path.resolve()  # a link stays one
    new = new_name(path)
    new.write_bytes(data)
    new.replace(path)
