"""What the engine is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from ..tally import Tally

Prefix = Callable[[int], Sequence[int]]


class StepLaw(Protocol):
    """From raw logits to the law that a token is drawn from.

    The law is the softmax of the scores or, where ``greedy``, all mass on the best
    of them. ``logits`` is ``[N, V]`` float32 over the shared vocabulary; ``prefix(i)``
    are all tokens before position ``i`` (prompt, answer and drafts), which processors
    such as a repetition penalty read.
    """

    @property
    def greedy(self) -> bool:
        """Whether the law is a point mass."""

    def scores(self, prefix: Prefix, logits: Tensor) -> Tensor:
        """Return the scores ``[N, V]`` of N positions."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One prompt to continue.

    Attributes:
        prompt: token ids, at least one.
        max_new_tokens: budget of the answer, in tokens.
        slm_law, llm_law: the laws of the two models under the request's settings.
            Requests that share settings should share the objects: their rows are
            then warped together.
        eos: ids that end the answer.
        stops: strings that end the answer.
        decode: text of answer tokens as stops are looked for in it.
        seed: of the row's own generator.
        generation_kwargs: as the caller gave them, for ``start``.
        key: whatever the caller wants back with the answer.
        on_token: told of each token when it is emitted.
    """

    prompt: Sequence[int]
    max_new_tokens: int
    slm_law: StepLaw
    llm_law: StepLaw
    eos: frozenset[int] = frozenset()
    stops: tuple[str, ...] = ()
    decode: Callable[[Sequence[int]], str] | None = None
    seed: int = 0
    generation_kwargs: Mapping[str, Any] = field(default_factory=dict)
    key: Any = None
    on_token: Callable[[EmittedToken], None] | None = None


@dataclass(frozen=True, slots=True)
class EmittedToken:
    """One token of an answer and where it came from.

    ``signal`` is the number ``route_token`` gave when it stood at this position, if
    it did: of several tokens drafted in one go only the first has one. ``accepted``
    is None where no verdict was passed; ``rejected`` is the draft that this token
    replaced, if it replaced one.
    """

    token: int
    from_llm: bool
    signal: float | None = None
    accepted: bool | None = None
    rejected: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished request.

    ``finish`` is ``"eos"``, ``"stop"`` or ``"length"``; ``tokens`` include the
    end-of-sequence token and the tokens that completed a stop string.
    """

    request: GenerationRequest
    tokens: tuple[int, ...]
    finish: str
    provenance: tuple[EmittedToken, ...]
    tally: Tally
