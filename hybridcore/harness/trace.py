"""``trace=FILE.jsonl``: one line for each request, written when it is finished.

Every line has ``strategy``, ``options``, ``task``, ``doc_id``, ``repeat``, ``kind`` and
``tally``.
Of ``kind="generation"`` are ``prompt_tokens``, ``finish``, ``text`` and ``tokens``: for
each token its id, the text that it adds ("" while a character is not complete), the
model that chose it, the routing signal, whether it was a draft that was accepted, and
the draft that it replaced, with its text. Of ``kind="scoring"`` are
``log_likelihood``, ``is_greedy`` and ``parts`` (the windows of a long text, else one):
for each token whether the LLM's law scored it, and the routing signal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from ..decoding.request import Answer, EmittedToken
from ..decoding.stopping import TextTail
from ..errors import ArgumentError
from ..scoring import Score
from ..tally import Tally
from .processes import own_rank


class Trace:
    """Where traces are written, one file for each evaluation.

    The path has the newest. What an earlier evaluation left there is kept beside it,
    as ``trace.1.jsonl`` (the oldest), ``trace.2.jsonl`` and so on. An evaluation that
    takes answers from a response cache goes on in the file that is there.
    Among several processes each has a file of its own: ``trace_rank1.jsonl``.

    :raises ArgumentError: the file cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        if (rank := own_rank()) is not None:
            self.path = self.path.with_stem(f"{self.path.stem}_rank{rank}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.open("a").close()
        except OSError as error:
            raise ArgumentError(
                f"trace={path!r} cannot be written: {error}\nname another file"
            ) from None

    def opened(self, continues: bool) -> TextIO:
        """Open the file of an evaluation, new unless it ``continues`` one."""
        if not continues and self.path.exists() and self.path.stat().st_size:
            self.path.rename(self._free())
        return self.path.open("a", encoding="utf-8")

    def _free(self) -> Path:
        names = (self.path.with_stem(f"{self.path.stem}.{n}") for n in count(1))
        return next(path for path in names if not path.exists())


def write(file: TextIO, line: Mapping[str, Any]) -> None:
    """Write one line, and make sure that it outlives this process."""
    file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    file.flush()


def answer_line(answer: Answer, text: str) -> dict[str, Any]:
    """Return what a trace says of one generated answer."""
    return {
        "kind": "generation",
        "prompt_tokens": len(answer.request.prompt),
        "finish": answer.finish,
        "text": text,
        "tokens": _tokens(answer),
        "tally": answer.tally.as_dict(),
    }


def score_line(scores: Sequence[Score], tally: Tally) -> dict[str, Any]:
    """Return what a trace says of one scored request."""
    return {
        "kind": "scoring",
        "log_likelihood": sum(score.log_likelihood for score in scores),
        "is_greedy": all(score.is_greedy for score in scores),
        "parts": [
            {"from_llm": score.from_llm, "signals": score.signals} for score in scores
        ],
        "tally": tally.as_dict(),
    }


def _tokens(answer: Answer) -> list[dict[str, Any]]:
    decode = answer.request.decode
    tokens = [_token(emitted) for emitted in answer.provenance]
    if decode is None:
        return tokens
    tail = TextTail(decode)
    for i, token in enumerate(tokens):
        token["text"] = tail.new_text(answer.tokens[: i + 1])
        if token["rejected"] is not None:
            token["rejected_text"] = decode([token["rejected"]])
    return tokens


def _token(emitted: EmittedToken) -> dict[str, Any]:
    return {
        "id": emitted.token,
        "model": "llm" if emitted.from_llm else "slm",
        "signal": emitted.signal,
        "accepted": emitted.accepted,
        "rejected": emitted.rejected,
    }
