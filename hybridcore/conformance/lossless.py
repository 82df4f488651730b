"""Whether a strategy that says so emits the LLM's law, by two independent ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..decoding.step_law import WarpLaw
from ..options import option_fields
from . import block_law, exact
from .block_law import Tables
from .blocks import drafts_itself
from .check import Failure
from .pair import TablePair
from .subject import Subject

SAMPLES = 2000
ALPHA = 1e-4
# half of what the grid of an unusual but right rule could be off by
TOLERANCE = 0.5 / block_law.GRID
SAMPLED = WarpLaw(0.8, top_k=5)


def draft_counts(subject: Subject, counts: tuple[int, ...]) -> list[dict[str, int]]:
    """Return values of the option ``num_drafts`` to try, or none where it has none."""
    if "num_drafts" not in option_fields(subject.cls):
        return [{}]
    return [{"num_drafts": count} for count in counts]


def check_blocks(subject: Subject, tables: Tables) -> None:
    """Fail where what ``verify`` lets pass, over all drafts and numbers, is not p.

    For a strategy without state. Drafts that are no draws from q must be right one
    by one, those that are, in the mean.
    """
    point = drafts_itself(subject)
    for length in (0, 1, 2):
        for asked in (False, True):
            block = block_law.every_block(tables, length, point, asked)
            found = block_law.emitted(subject.dispatcher(), tables, block)
            if not point:
                weights = block_law.draft_weights(tables, length)
                found = (weights[:, None] * found).sum(0, keepdim=True)
            wanted = block_law.target(tables, length)
            distance = (found - wanted).abs().sum(-1) / 2
            if (distance > TOLERANCE).any():
                raise _off(tables, length, found[int(distance.argmax())], wanted)


def check_samples(
    subject: Subject, pair: TablePair, options: Mapping[str, Any]
) -> None:
    """Fail where texts of three tokens, drawn through the engine, do not follow p."""
    answers = pair.run(
        subject.dispatcher(**options),
        [[1]] * SAMPLES,
        3,
        law=SAMPLED,
        batch=64,
    )
    seen = exact.counted([answer.tokens for answer in answers])
    law = exact.text_law(SAMPLED(lambda i: (), pair.p), 1, 3)
    if (p := exact.p_value(seen, law)) < ALPHA:
        raise Failure(
            f"three-token texts of the LLM's law (chi-square p above {ALPHA})",
            f"p = {p:.1g}; the text {exact.worst(seen, law)}",
            f"tables of 6 tokens, prompt [1], {SAMPLED}, {dict(options) or 'defaults'}",
        )


def _off(
    tables: Tables, length: int, found: torch.Tensor, wanted: torch.Tensor
) -> Failure:
    size = len(tables.p)
    worst = int((found - wanted).abs().argmax())
    text = [worst // size**k % size for k in range(length, -1, -1)]
    return Failure(
        f"the next tokens are {text} with probability {float(wanted[worst]):.4f}",
        f"{float(found[worst]):.4f}",
        f"{length} drafts behind token 0, q {tables.q.tolist()}, p {tables.p.tolist()}",
    )
