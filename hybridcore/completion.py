"""What :class:`~hybridcore.Hybrid` gives back: texts, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Model = Literal["slm", "llm"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token and who chose it, or whose law scored it.

    Attributes:
        id: in the vocabulary of the LLM.
        text: what it adds to the text; "" while a character is not complete, and
            of special tokens.
        model: ``"slm"`` or ``"llm"``; None where the law is the strategy's own.
        signal: the number the strategy routed by here, if it gave one.
        accepted: of a draft that the LLM judged, whether it stood; else None.
        replaced: text of the draft in whose place this token stands, if in any.
    """

    id: int
    text: str
    model: Model | None
    signal: float | None = None
    accepted: bool | None = None
    replaced: str | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to one prompt.

    Attributes:
        text: without stop strings and special tokens.
        tokens: all that were emitted, those of a stop string included.
        finish: ``"eos"``, ``"stop"`` or ``"length"``.
        counts: those of :class:`~hybridcore.tally.Tally`.
    """

    prompt: str
    text: str
    tokens: tuple[Token, ...]
    finish: str
    counts: Mapping[str, Any]

    @property
    def llm_share(self) -> float | None:
        """The share of tokens that the LLM chose; None where there is no token."""
        share: float | None = self.counts["llm_token_fraction"]
        return share


@dataclass(frozen=True, slots=True)
class Scored:
    """The log-likelihood of a text behind a context, in nats.

    ``is_greedy`` tells whether each token is the argmax of its law.
    """

    context: str
    text: str
    log_likelihood: float
    is_greedy: bool
    tokens: tuple[Token, ...]
    counts: Mapping[str, Any]

    @property
    def llm_share(self) -> float | None:
        """The share of tokens scored by the LLM's law, None where it is no model's."""
        known = [token for token in self.tokens if token.model is not None]
        if not known:
            return None
        return sum(token.model == "llm" for token in known) / len(known)
