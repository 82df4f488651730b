"""Requests that need the same forward, put together and put in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .request import ScoreRequest


@dataclass(frozen=True, slots=True)
class Passage:
    """One sequence a model reads, for all the requests that it answers.

    Attributes:
        tokens: the input: context and continuation without its last token, cut
            from the left to the window.
        length: tokens of the longest continuation; logits are needed at the last
            ``length`` positions of ``tokens``.
        members: indices of the requests, ascending. Their continuations may be
            cut at different points and end in different tokens.
    """

    tokens: tuple[int, ...]
    length: int
    members: tuple[int, ...]


def passages(
    requests: Sequence[ScoreRequest], indices: Iterable[int], max_length: int
) -> list[Passage]:
    """Group ``indices`` by input, longest first, in the order of lm_eval's HFLM.

    The same order makes the same batches, so that padding and rounding agree.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for index in indices:
        request = requests[index]
        key = (*request.context, *request.continuation[:-1])
        groups.setdefault(key, []).append(index)
    keyed = [_passage(requests, *group, max_length) for group in groups.items()]
    return [passage for _, passage in sorted(keyed, key=lambda pair: pair[0])]


def _passage(
    requests: Sequence[ScoreRequest],
    key: tuple[int, ...],
    members: list[int],
    max_length: int,
) -> tuple[tuple[int, tuple[int, ...]], Passage]:
    longest = max(members, key=lambda i: len(requests[i].continuation))
    continuation = requests[longest].continuation
    place = (-len(key), (*key, continuation[-1]))
    tokens = key[-max_length:]
    return place, Passage(tokens, len(continuation), tuple(members))
