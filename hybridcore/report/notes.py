"""What the reader of a report should know about the files it was made from."""

from __future__ import annotations

from collections.abc import Iterator


class Notes:
    """One line for each thing that was left out or could not be known."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, line: str) -> None:
        """Add a line, once."""
        self._lines[line] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)
