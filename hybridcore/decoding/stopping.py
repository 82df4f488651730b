"""When an answer ends: budget, end-of-sequence ids, stop strings.

Stop strings are looked for after every committed token, in text that is decoded
piece by piece; a character whose bytes are not complete yet is kept back. (A
criterion that looks only at the last tokens misses a stop inside a block.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_INCOMPLETE = "�"
_WINDOW = 8  # tokens; decoding costs by the call, hardly by the token


class TextTail:
    """The text of a growing token sequence, decoded a few tokens at a time."""

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._start = 0  # where the window that is decoded each time begins
        self._before = ""  # text of the window that is already given out
        self._shown = 0  # tokens whose text that is

    def new_text(self, tokens: Sequence[int]) -> str:
        """Return the text that ``tokens`` add since the last call, "" if it is
        not complete yet. ``tokens`` is the whole sequence so far.
        """
        now = self._decode(tokens[self._start :])
        if len(now) <= len(self._before) or now.endswith(_INCOMPLETE):
            return ""
        fresh = now[len(self._before) :]
        self._before = now
        if len(tokens) - self._start > _WINDOW:
            # some tokens read differently behind others: keep what came last
            self._start = self._shown
            self._before = self._decode(tokens[self._start :])
        self._shown = len(tokens)
        return fresh


class StopWatch:
    """Says after each token whether the answer has ended, and why."""

    def __init__(
        self,
        max_new_tokens: int,
        eos: frozenset[int],
        stops: tuple[str, ...],
        decode: Callable[[Sequence[int]], str] | None,
    ) -> None:
        self._budget = max_new_tokens
        self._eos = eos
        self._stops = tuple(stop for stop in stops if stop)
        self._tail = TextTail(decode) if decode and self._stops else None
        self._overlap = max((len(stop) - 1 for stop in self._stops), default=0)
        self._text = ""

    def finish(self, answer: Sequence[int]) -> str | None:
        """Return ``"eos"``, ``"stop"``, ``"length"`` or None, for the answer so far.

        To be called once after every token, in order.
        """
        if answer[-1] in self._eos:
            return "eos"
        if self._stopped(answer):
            return "stop"
        return "length" if len(answer) >= self._budget else None

    def _stopped(self, answer: Sequence[int]) -> bool:
        if self._tail is None:
            return False
        fresh = self._tail.new_text(answer)
        if not fresh:
            return False
        self._text = self._text[-self._overlap :] if self._overlap else ""
        self._text += fresh
        return any(stop in self._text for stop in self._stops)
