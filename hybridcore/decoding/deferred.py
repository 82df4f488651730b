"""Steps and blocks whose large fields are made when a hook first reads them.

To a hook they are a Step and a Block like any other. A router that reads logits alone
never pays for laws, a verifier that reads laws never pays for logits.
"""

from __future__ import annotations

from typing import Any

from ..exchange import Block, Step


def _deferred(name: str) -> Any:
    """A field that may be given as a function that makes it; it is called once."""
    slot = f"_{name}"

    def get(self: Any) -> Any:
        value = getattr(self, slot)
        if callable(value):
            value = value()
            object.__setattr__(self, slot, value)
        return value

    def put(self: Any, value: Any) -> None:
        object.__setattr__(self, slot, value)

    return property(get, put)


class DeferredStep(Step):
    """A step; ``law`` may be given as a function."""

    __slots__ = ("_law",)

    law = _deferred("law")


class DeferredBlock(Block):
    """A block; its laws and logits may be given as functions."""

    __slots__ = ("_p_logits", "_q", "_q_logits")

    q = _deferred("q")
    q_logits = _deferred("q_logits")
    p_logits = _deferred("p_logits")
