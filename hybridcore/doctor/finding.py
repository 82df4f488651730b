"""What one part of the examination came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One part of the examination.

    Attributes:
        summary: one line for people.
        facts: the same for programs; JSON can hold it.
        problems: what is broken; a first line, then what to do about it.
    """

    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
