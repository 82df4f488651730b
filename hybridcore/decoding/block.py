"""Gathers the drafts of ragged rows into the block that ``verify`` sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from ..exchange import Block
from ..transfer import send, uniform_numbers
from .deferred import DeferredBlock
from .drafted import DraftedToken
from .row import Row
from .step_law import PositionLaws

# row and place in the block, and what the SLM had there
_Position = tuple[int, int, DraftedToken]


def block_of(rows: Sequence[Row], llm: PositionLaws, has_slm: bool) -> Block:
    """Build the block of B rows from what the LLM just gave.

    :param llm: its laws at ``sum(len(drafts) + 1)`` positions, row after row.
    :param has_slm: whether the strategy requires the SLM.
    """
    lengths = [len(row.drafts) for row in rows]
    width = max(lengths)
    device = llm.logits.device
    ids = [_padded([d.token for d in row.drafts], width) for row in rows]
    asked = [row.asked is not None for row in rows]
    numbers = [_padded([row.numbers.take() for _ in row.drafts], width) for row in rows]
    slm = _SlmSide(_positions(rows), llm.logits, (len(rows), width + 1))
    whole = send([*chain(*ids), *lengths, *asked], device, torch.long)
    drafted, length, marked = whole.split([len(rows) * width, len(rows), len(rows)])
    deferred: dict[str, Callable[[], Tensor]] = {
        "q": slm.laws,
        "p_logits": lambda: _spread(llm.logits, lengths),
    }
    if has_slm:
        deferred["q_logits"] = slm.logits
    fields: dict[str, Any] = {"q_logits": None, **deferred}
    return DeferredBlock(
        drafted=drafted.view(len(rows), width),
        length=length,
        p=_spread(llm.law, lengths),
        asked=marked.bool(),
        uniform=uniform_numbers(numbers, device),
        states=[row.state for row in rows],
        **fields,
    )


class _SlmSide:
    """What the SLM made of a block's positions, gathered from where it was made."""

    def __init__(
        self, positions: Sequence[_Position], like: Tensor, shape: tuple[int, int]
    ) -> None:
        self._positions = positions
        self._like = like
        self._shape = (*shape, like.shape[-1])

    def laws(self) -> Tensor:
        """Return ``[B, K+1, V]`` laws, zero where there is none."""
        result = self._like.new_zeros(self._shape)
        places = [(i, k, d.laws, d.law_row) for i, k, d in self._positions]
        _gather(result, places, lambda table: table.law)
        points = [(i, k, d.token) for i, k, d in self._positions if d.laws is None]
        if points:
            result[tuple(send(points, result.device).T)] = 1.0
        return result

    def logits(self) -> Tensor:
        """Return ``[B, K+1, V]`` raw logits, NaN where there are none."""
        result = self._like.new_full(self._shape, torch.nan)
        places = [(i, k, d.step, d.step_row) for i, k, d in self._positions]
        _gather(result, places, lambda step: step.logits)
        return result


def _positions(rows: Sequence[Row]) -> list[_Position]:
    """Return where the SLM moved: at drafts, and where it gave up."""
    found = []
    for i, row in enumerate(rows):
        found += [(i, k, draft) for k, draft in enumerate(row.drafts)]
        if row.asked is not None and row.asked.laws is not None:
            found.append((i, len(row.drafts), row.asked))
    return found


def _gather(
    result: Tensor,
    sources: Sequence[tuple[int, int, Any, int]],
    rows_of: Callable[[Any], Tensor],
) -> None:
    """Copy rows of tables to ``(row, place)``, all those of one table at once."""
    groups: dict[int, tuple[Any, list[tuple[int, int, int]]]] = {}
    for i, k, table, row in sources:
        if table is not None:
            groups.setdefault(id(table), (table, []))[1].append((i, k, row))
    together = [member for _, members in groups.values() for member in members]
    index = send(together, result.device)
    parts = index.split([len(members) for _, members in groups.values()])
    for (table, _), part in zip(groups.values(), parts, strict=True):
        (i, k, row), rows = part.T, rows_of(table)
        result[i, k] = rows[row.to(rows.device)].to(result)


def _spread(flat: Tensor, lengths: Sequence[int]) -> Tensor:
    """Spread ``[sum(length + 1), V]`` over ``[B, max(length) + 1, V]``."""
    width = max(lengths) + 1
    if min(lengths) + 1 == width:
        return flat.view(len(lengths), width, -1)
    result = flat.new_zeros(len(lengths) * width, flat.shape[-1])
    places = [i * width + k for i, n in enumerate(lengths) for k in range(n + 1)]
    result[send(places, flat.device)] = flat
    return result.view(len(lengths), width, -1)


def _padded(values: list[Any], width: int) -> list[Any]:
    return values + [0] * (width - len(values))
