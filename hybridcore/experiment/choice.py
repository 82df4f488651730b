"""Which strategies an experiment runs, as a command line says it.

uncertainty,entropy:threshold=1.5,speculative:num_drafts=6
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from ..discovery import load_class
from ..errors import ArgumentError
from ..options import check_names, coerced
from .grid import parameter

_VALUES = "expected name=first:last:count or name=value,value"


@dataclass(frozen=True)
class Choice:
    """One strategy: its name, fixed options, and the values others run through.

    ``points`` asks for so many thresholds, of the one option that ``grid`` names with
    no values, chosen at even shares of the LLM between 0 and ``max_share``.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    points: int | None = None
    max_share: float = 1.0

    def checked(self) -> Choice:
        """Return it with every value of its option's type.

        :raises HybridLMError: no such strategy or option, or a value out of range.
        """
        kind = load_class(self.name)
        check_names(kind, [*self.options, *self.grid])
        twice = sorted(set(self.options) & set(self.grid))
        if twice:
            raise ArgumentError(
                f"option {twice[0]!r} of {self.name} is both given and varied: "
                "expected one of the two"
            )
        options = {n: coerced(kind, n, v) for n, v in self.options.items()}
        grid = {
            name: tuple(coerced(kind, name, value) for value in values)
            for name, values in self.grid.items()
        }
        kind.from_options(options)
        self.check_open()
        if not 0 < self.max_share <= 1:
            raise ArgumentError(
                f"max_share={self.max_share!r}: expected a number above 0, at most 1"
            )
        return replace(self, options=options, grid=grid)

    def check_open(self) -> None:
        """Check that what has no values is what ``points`` asks for.

        :raises ArgumentError: more or fewer options are open, or ``points`` is no
            count.
        """
        empty = [name for name, values in self.grid.items() if not values]
        if self.points is None and empty:
            raise ArgumentError(
                f"param {empty[0]!r} has no values: {_VALUES}\n"
                "give some, or --points to have thresholds chosen"
            )
        if self.points is not None and (len(empty) != 1 or self.points < 1):
            raise ArgumentError(
                f"points={self.points!r} for {', '.join(self.grid) or 'no option'}: "
                "expected a positive whole number and one option without values\n"
                "write --param threshold --points 9"
            )

    def filled(self, values: Iterable[Any]) -> Choice:
        """Return it with values for the option that has none."""
        grid = {n: tuple(given or values) for n, given in self.grid.items()}
        return replace(self, grid=grid, points=None)

    def settings(self) -> list[dict[str, Any]]:
        """Return the options of every point of the grid, in its order."""
        names = list(self.grid)
        return [
            {**self.options, **dict(zip(names, values, strict=True))}
            for values in product(*self.grid.values())
        ]


def choices(text: str) -> list[Choice]:
    """Read ``name,name:option=value,...``; ``name`` may be ``distribution:name``.

    :raises ArgumentError: an option without a strategy before it, or none at all.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        parts = item.split(":")
        name = ":".join(part for part in parts if "=" not in part)
        given = [part for part in parts if "=" in part]
        if name:
            found.append((name, {}))
        elif not found:
            raise ArgumentError(
                f"strategies {text!r}: expected a name before {item!r}\n"
                "write name:option=value,name,..."
            )
        for option in given:
            key, _, value = option.partition("=")
            found[-1][1][key.strip()] = value.strip()
    if not found:
        raise ArgumentError(
            f"strategies {text!r}: expected at least one name\n"
            "hybridlm strategies lists those installed"
        )
    return [Choice(name, options) for name, options in found]


def only_choice(text: str) -> Choice:
    """Read ``name:option=value,...``.

    :raises ArgumentError: there are several strategies, or none.
    """
    first, *more = choices(text)
    if more:
        raise ArgumentError(
            f"strategy {text!r}: expected one, got {1 + len(more)}\n"
            "hybridlm compare takes several"
        )
    return first


def varied(
    choice: Choice, params: list[str], points: int | None, max_share: float = 1.0
) -> Choice:
    """Return ``choice`` with the grids of ``--param`` and the ``--points`` added.

    :raises ArgumentError: neither or both say what to run through.
    """
    grid = dict(parameter(text) for text in params)
    if points is not None and all(grid.values()):
        grid.setdefault("threshold", ())
    if not grid:
        raise ArgumentError(
            f"nothing is varied: {_VALUES}\n"
            "give --param, or --points to have thresholds chosen"
        )
    choice = replace(choice, grid=grid, points=points, max_share=max_share)
    choice.check_open()
    return choice
