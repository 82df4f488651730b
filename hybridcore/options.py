"""Options of a strategy: declared once, typed, ranged, read from strings.

``model_args`` arrive as text, so every option is coerced to its annotation:
``"0.5"`` to float, ``"true"`` to bool, ``"none"`` to None where None is allowed.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import OptionError, did_you_mean

_WORDS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """What is known of one option besides its name, type and default."""

    help: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] | None = None

    def range(self) -> str:
        """Return the allowed range in words, ``""`` where anything goes."""
        if self.choices is not None:
            return f"one of {', '.join(map(repr, self.choices))}"
        if self.minimum is not None and self.maximum is not None:
            return f"between {self.minimum} and {self.maximum}"
        if self.minimum is not None:
            return f"at least {self.minimum}"
        return "" if self.maximum is None else f"at most {self.maximum}"

    def allows(self, value: Any) -> bool:
        """Tell whether a value of the right type lies in the range."""
        if value is None:
            return True
        if self.choices is not None:
            return value in self.choices
        above = self.minimum is None or value >= self.minimum
        return above and (self.maximum is None or value <= self.maximum)


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str = "",
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[Any] | None = None,
) -> Any:
    """Declare an option: ``threshold: float = option(0.5, minimum=0.0)``.

    ``minimum`` and ``maximum`` are inclusive; ``unit`` and ``help`` are shown to users.
    """
    spec = OptionSpec(
        help, unit, minimum, maximum, None if choices is None else tuple(choices)
    )
    return dataclasses.field(default=default, metadata={"option": spec})


def option_fields(cls: type) -> dict[str, dataclasses.Field[Any]]:
    """Return the declared options of a strategy class by name."""
    fields = {field.name: field for field in dataclasses.fields(cls)}
    return {name: field for name, field in fields.items() if "option" in field.metadata}


def check_names(cls: type, given: Sequence[str]) -> None:
    """Raise :class:`OptionError` for a name that is not declared, or is missing."""
    known = option_fields(cls)
    for name in given:
        if name not in known:
            valid = ", ".join(known) or "it has none"
            raise OptionError(
                f"{cls.__name__} has no option {name!r}{did_you_mean(name, known)}\n"
                f"its options: {valid}"
            )
    for name, field in known.items():
        if name not in given and field.default is dataclasses.MISSING:
            raise OptionError(
                f"option {name} of {cls.__name__} is missing: it has no default\n"
                f"add {name}=... to the model arguments"
            )


def coerced(cls: type, name: str, value: Any) -> Any:
    """Return ``value`` as option ``name`` of ``cls`` wants it.

    :raises OptionError: it is of another type, or out of range.
    """
    annotation = typing.get_type_hints(cls)[name]
    spec: OptionSpec = option_fields(cls)[name].metadata["option"]
    wanted = " ".join(filter(None, [_type_name(annotation), spec.range()]))
    try:
        typed = _convert(annotation, value)
    except (TypeError, ValueError):
        raise OptionError(
            f"option {name}={value!r} of {cls.__name__}: expected {wanted}"
        ) from None
    if not spec.allows(typed):
        raise OptionError(
            f"option {name}={value!r} of {cls.__name__}: expected {wanted}"
        )
    return typed


def _convert(annotation: Any, value: Any) -> Any:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(typing.get_args(annotation), value)
    if origin is typing.Literal:
        return _convert_literal(typing.get_args(annotation), value)
    if annotation is Any:
        return value
    return _CONVERTERS.get(annotation, _as_is(annotation))(value)


def _convert_union(kinds: tuple[Any, ...], value: Any) -> Any:
    if type(None) in kinds and (value is None or str(value).lower() == "none"):
        return None
    for kind in kinds:
        if kind is not type(None):
            try:
                return _convert(kind, value)
            except (TypeError, ValueError):
                continue
    raise ValueError(value)


def _convert_literal(choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        if value == choice or str(value) == str(choice):
            return choice
    raise ValueError(value)


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in _WORDS:
        return _WORDS[str(value).lower()]
    raise ValueError(value)


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and value % 1):
        raise ValueError(value)
    return int(value)


def _to_float(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or number != number:
        raise ValueError(value)
    return number


def _as_is(annotation: Any) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(annotation, type) and not isinstance(value, annotation):
            raise TypeError(value)
        return value

    return check


_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    bool: _to_bool,
    int: _to_int,
    float: _to_float,
    str: str,
}


def _type_name(annotation: Any) -> str:
    names = {float: "a number", int: "a whole number", bool: "true or false"}
    if annotation in names:
        return names[annotation]
    return "" if typing.get_origin(annotation) is typing.Literal else str(annotation)
