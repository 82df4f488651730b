"""What a task asks, read from a line of lm_eval's logged samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .json_values import items

Kind = Literal["generation", "choice", "text"]


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        kind: an answer is generated, chosen from ``choices``, or the prompt itself is
            a text to be scored.
        gold: index of the right choice, where the target says it.
    """

    kind: Kind
    prompt: str
    target: str
    choices: tuple[str, ...] = ()
    gold: int | None = None


def document_of(sample: Mapping[str, Any]) -> Document:
    """Return the document of a sample; what it does not say is ""."""
    requests = [items(request) for request in items(sample.get("arguments"))]
    requests = [request for request in requests if request]
    prompt = str(requests[0][0]) if requests else ""
    target = sample.get("target")
    said = "" if target is None else str(target)
    if all(len(request) == 1 for request in requests) and requests:
        return Document("text", prompt, "")
    if all(isinstance(request[-1], str) for request in requests) and requests:
        choices = tuple(str(request[-1]) for request in requests)
        return Document("choice", prompt, said, choices, _index(said, len(choices)))
    return Document("generation", prompt, said)


def _index(target: str, choices: int) -> int | None:
    found = int(target) if target.isdecimal() else choices
    return found if found < choices else None
