"""Whether the rows of a batch have states of their own."""

from __future__ import annotations

from typing import Any

from ..dispatch import Dispatcher
from ..exchange import Request
from .check import Failure

_FIXED = (type(None), bool, int, float, str, bytes, tuple, frozenset)


def check_states(dispatcher: Dispatcher) -> None:
    """Fail where ``start`` gives two rows one object, or objects that share a part."""
    if "start" not in dispatcher.hooks:
        return
    one, other = (dispatcher.start(Request((1, 2, 3), 8)) for _ in range(2))
    if shared := _shared(one, other):
        raise Failure(
            "start returns a state of its own for each row",
            f"two rows share {shared}",
            "two requests with the prompt [1, 2, 3]",
        )


def _shared(one: Any, other: Any) -> str:
    if isinstance(one, _FIXED):
        return ""
    if one is other:
        return f"one {type(one).__name__}"
    parts, others = _parts(one), _parts(other)
    for name in parts.keys() & others.keys():
        part = parts[name]
        if part is others[name] and isinstance(part, (list, dict, set)):
            return f"{name!r}, one {type(part).__name__}"
    return ""


def _parts(state: Any) -> dict[Any, Any]:
    if isinstance(state, dict):
        return state
    if isinstance(state, list):
        return dict(enumerate(state))
    slots = getattr(type(state), "__slots__", ())
    named = {name: getattr(state, name, None) for name in slots}
    return {**named, **getattr(state, "__dict__", {})}
