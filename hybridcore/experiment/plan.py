"""Which cells an experiment has: baselines, candidates, random ones beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..discovery import load_class
from ..errors import ArgumentError, StrategyNotFound
from .cell import Cell, Role, cell_of, safe
from .choice import Choice

BASELINES: dict[str, Role] = {"slm-only": "slm-only", "llm-only": "llm-only"}
_NEAR = 0.005  # shares that one random cell serves


def bounds() -> list[Cell]:
    """Return the cells that every experiment is read against.

    :raises StrategyNotFound: the baselines are not installed.
    """
    try:
        cells = [cell_of(name, {}, role) for name, role in BASELINES.items()]
    except StrategyNotFound:
        raise StrategyNotFound(
            "no strategies slm-only and llm-only: every experiment is read against "
            "them\npip install hybridlm-strategy-baselines"
        ) from None
    return [*cells, Cell("oracle", "oracle", "oracle", {}, "oracle")]


def candidates(choices: Iterable[Choice]) -> list[Cell]:
    """Return every point of every grid, baselines left out.

    :raises ArgumentError: two of them are the same.
    """
    cells: list[Cell] = []
    for choice in choices:
        for setting in choice.settings():
            cell = cell_of(choice.name, setting)
            if cell in cells:
                raise ArgumentError(f"{cell.label!r} stands twice: expected it once")
            if choice.name not in BASELINES:
                cells.append(cell)
    return cells


def routes(cell: Cell) -> bool:
    """Tell whether a cell's LLM share is a choice, so that random can have it too."""
    kind = load_class(cell.strategy)
    return cell.role == "candidate" and not (kind.lossless or kind.holds())


def random_cells(
    task: str, shares: Mapping[str, float | None], limit: int, alone: bool
) -> list[Cell]:
    """Return cells that ask the LLM at random, at the LLM shares of others.

    :param shares: by id of a candidate, its share on ``task``. Where there are more
        than ``limit``, those taken are spread evenly over their range.
    :param alone: the task is the only one, and need not be named.
    """
    found = sorted(
        (share, beside)
        for beside, share in shares.items()
        if share is not None and _NEAR < share < 1 - _NEAR
    )
    cells = []
    for share, beside in _spread(_apart(found), limit):
        cell = cell_of("random", {"fraction": round(share, 6)}, "random")
        name = cell.id if alone else f"{cell.id}-{task}"
        cells.append(replace(cell, id=safe(name), tasks=(task,), beside=beside))
    return cells


def _apart(found: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    kept: list[tuple[float, str]] = []
    for share, beside in found:
        if not kept or share - kept[-1][0] > _NEAR:
            kept.append((share, beside))
    return kept


def _spread(found: list[tuple[float, str]], limit: int) -> list[tuple[float, str]]:
    """Return at most ``limit`` of them, one near each of as many even steps."""
    if len(found) <= limit:
        return found
    if limit < 2:
        return found[len(found) // 2 :][:limit]
    first, last = found[0][0], found[-1][0]
    steps = [first + (last - first) * i / (limit - 1) for i in range(limit)]
    near = {min(found, key=lambda item: abs(item[0] - step)) for step in steps}
    return sorted(near)
