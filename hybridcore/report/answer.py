"""What a cell answered to one document, small enough to keep ten thousand of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .json_values import items, number, tables, whole

# how a token came to be, one letter each; the page's legend has the same
TRUSTED, ACCEPTED, OWN, REPLACED = "s", "a", "l", "r"


@dataclass(slots=True)
class Tokens:
    """The tokens of an answer, column by column.

    Attributes:
        texts: what each token adds to the text; its id in angle brackets where the
            trace has no text.
        kinds: one letter each: drafted by the SLM and trusted (s), drafted and
            accepted (a), the LLM's own (l), the LLM's in place of a draft (r).
        signals: the routing signal; None where there was none.
        replaced: by position, the text of the draft that was rejected there.
    """

    texts: list[str]
    kinds: str
    signals: list[float | None]
    replaced: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Scored:
    """One scored continuation: its log-likelihood, and which law scored each token.

    A log-likelihood that is not finite is None.
    """

    log_likelihood: float | None
    is_greedy: bool
    kinds: str = ""
    signals: list[float | None] = field(default_factory=list)


@dataclass(slots=True)
class Answer:
    """One answer; parts that no file has are None or empty.

    Attributes:
        value: of the metric, for this document alone.
        text: as it was generated; ``extracted``: what the filter made of it.
        scored: of multiple choice and perplexity, one for each continuation.
        units, llm_units: tokens emitted and scored, and those by the LLM.
    """

    value: float | None = None
    text: str = ""
    extracted: str = ""
    finish: str = ""
    tokens: Tokens | None = None
    scored: list[Scored] = field(default_factory=list)
    units: int = 0
    llm_units: int = 0

    @property
    def share(self) -> float | None:
        """The LLM's part of the tokens."""
        return self.llm_units / self.units if self.units else None

    def count(self, tally: Mapping[str, Any]) -> None:
        """Add the counts of one request."""
        self.units += whole(tally.get("tokens_out")) + whole(tally.get("scored_tokens"))
        self.llm_units += whole(tally.get("tokens_from_llm"))
        self.llm_units += whole(tally.get("scored_from_llm"))

    def leave_out(self, tokens: int) -> None:
        """Take out tokens of the LLM that an oracle had no say in, as summaries do.

        All that it judges are drafts; the last token that an answer may have is none.
        """
        known = min(tokens, self.llm_units)  # a damaged trace may have fewer
        self.units -= known
        self.llm_units -= known


def tokens_of(line: Mapping[str, Any]) -> Tokens:
    """Read the tokens of a generation as a trace has them."""
    tokens = Tokens([], "", [])
    kinds = []
    for position, token in enumerate(tables(line.get("tokens"))):
        tokens.texts.append(_text(token, "text", "id"))
        kinds.append(_kind(token))
        tokens.signals.append(number(token.get("signal")))
        if token.get("rejected") is not None:
            tokens.replaced[position] = _text(token, "rejected_text", "rejected")
    tokens.kinds = "".join(kinds)
    return tokens


def scored_of(line: Mapping[str, Any]) -> Scored:
    """Read a scored request as a trace has it."""
    kinds = ""
    signals: list[float | None] = []
    for part in tables(line.get("parts")):
        flags = items(part.get("from_llm"))
        kinds += "".join(OWN if flag else TRUSTED for flag in flags)
        signals += map(number, items(part.get("signals")) or [None] * len(flags))
    likelihood = number(line.get("log_likelihood"))
    return Scored(likelihood, line.get("is_greedy") is True, kinds, signals)


def _kind(token: Mapping[str, Any]) -> str:
    if token.get("model") == "llm":
        return OWN if token.get("rejected") is None else REPLACED
    return ACCEPTED if token.get("accepted") else TRUSTED


def _text(token: Mapping[str, Any], text: str, number: str) -> str:
    said = token.get(text)
    return said if isinstance(said, str) else f"⟨{token.get(number)}⟩"
