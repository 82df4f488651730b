"""Whether two sides gave the same answers, and where not, how nearly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ..harness.generation import prompt_of
from ..models.places import common_prefix
from .workload import GENERATION, Workload

ABSOLUTE = 1e-3  # nats
RELATIVE = 1e-5  # of a log-likelihood of more than a hundred nats
NEAR_TIE = 1e-2  # logits between the best two tokens
_SHOWN = 3


@dataclass(frozen=True)
class Agreement:
    """How far ``side`` is from ``reference`` on the same requests.

    Attributes:
        compared: requests.
        worst: largest difference of a log-likelihood, in nats; None for texts.
        beyond: log-likelihoods further apart than the tolerance.
        flips: requests whose ``is_greedy`` differs.
        texts: texts that differ.
        margins: for those, the LLM's margin between its best two tokens where the
            texts part, in logits: a small one is a tie that rounding decides.
    """

    side: str
    reference: str
    compared: int
    worst: float | None = None
    beyond: int = 0
    flips: int = 0
    texts: int = 0
    margins: list[float] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Tell whether nothing but near ties differs."""
        far = [margin for margin in self.margins if margin > NEAR_TIE]
        return not (self.beyond or self.flips or far)

    def __str__(self) -> str:
        head = f"{self.side} and {self.reference}, {self.compared} requests: "
        if self.worst is not None:
            return head + (
                f"log-likelihoods at most {self.worst:.1e} apart, {self.beyond} beyond "
                f"{ABSOLUTE:g}, is_greedy differs in {self.flips}"
            )
        if not self.texts:
            return head + "all texts equal"
        shown = ", ".join(f"{margin:.1e}" for margin in sorted(self.margins)[-_SHOWN:])
        return head + (
            f"{self.texts} texts differ; the LLM's margin where they part, largest: "
            f"{shown} logits"
        )


def compare(
    names: tuple[str, str],
    ours: Sequence[Any],
    theirs: Sequence[Any],
    workload: Any,
    lm: Any,
) -> Agreement:
    """Compare the answers of two sides.

    :param names: of the side that gave ``ours`` and of the one that gave ``theirs``.
    :param lm: an ``HFLM`` that tells the margin where texts part.
    """
    if workload.kind in GENERATION:
        return _texts(names, ours, theirs, workload, lm)
    if workload.kind == "loglikelihood":
        pairs = [(a[0], b[0]) for a, b in zip(ours, theirs, strict=True)]
        flips = sum(bool(a[1]) != bool(b[1]) for a, b in zip(ours, theirs, strict=True))
    else:
        pairs, flips = list(zip(ours, theirs, strict=True)), 0
    return Agreement(
        *names,
        compared=len(pairs),
        worst=max(abs(a - b) for a, b in pairs),
        beyond=sum(abs(a - b) > max(ABSOLUTE, RELATIVE * abs(b)) for a, b in pairs),
        flips=flips,
    )


def _texts(
    names: tuple[str, str],
    ours: Sequence[str],
    theirs: Sequence[str],
    workload: Workload,
    lm: Any,
) -> Agreement:
    apart = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
    margins = [margin(lm, workload.requests[i].args, ours[i], theirs[i]) for i in apart]
    return Agreement(*names, compared=len(ours), texts=len(apart), margins=margins)


@torch.inference_mode()
def margin(lm: Any, arguments: Any, ours: str, theirs: str) -> float:
    """Return by how many logits the best token leads where two texts part.

    The texts are encoded again, which may cut them elsewhere than they were written:
    the place can be off by a token, so the least margin around it is taken.
    """
    prompt = list(prompt_of(lm, *arguments).tokens)
    first, second = (
        lm.tok_encode(text, add_special_tokens=False) for text in (ours, theirs)
    )
    shared = common_prefix(first, second)
    tokens = torch.tensor([prompt + first[:shared]], device=lm.device)
    best = lm.model(tokens).logits[0, -min(2, shared + 1) :].float().topk(2).values
    return float((best[:, 0] - best[:, 1]).min())
