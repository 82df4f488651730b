"""One strategy with one set of options: what is run, saved and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Literal

from ..discovery import create

Role = Literal["candidate", "slm-only", "llm-only", "random", "oracle"]


@dataclass(frozen=True)
class Cell:
    """A point of an experiment.

    Attributes:
        id: names its folder; the same for the same options in every run.
        label: names it in tables.
        strategy, options: what runs; the options are complete.
        tasks: those it is for; None means all of the experiment.
        beside: id of the candidate whose LLM share a random cell has.
    """

    id: str
    label: str
    strategy: str
    options: Mapping[str, Any]
    role: Role = "candidate"
    tasks: tuple[str, ...] | None = None
    beside: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as ``cell.json`` has it."""
        return asdict(self) | {"tasks": None if self.tasks is None else [*self.tasks]}


def cell_of(strategy: str, given: Mapping[str, Any], role: Role = "candidate") -> Cell:
    """Return the cell of a strategy; ``given`` are the options that name it."""
    options = create(strategy, given).options()
    said = {name: options[name] for name in given}
    return Cell(
        id=safe("-".join([strategy, *(f"{n}={v}" for n, v in said.items())])),
        label=" ".join([strategy, *(f"{n}={v}" for n, v in said.items())]),
        strategy=strategy,
        options=options,
        role=role,
    )


def safe(name: str) -> str:
    """Return a name that is a file name everywhere, and still another one's."""
    plain = re.sub(r"[^A-Za-z0-9._=+-]", "_", name)[:100]
    if plain == name:
        return name
    return f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}"
