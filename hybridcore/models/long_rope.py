"""Where a rotary embedding changes its frequencies with the length of a text.

``longrope`` (Phi-3, Phi-4) has one set of frequencies for texts up to the original
context and another for longer ones, for all positions of a text and for all rows of
a call. So rows of the two kinds must not share a call, and a row that crosses over
must be read again from its first token. What a position says must not depend on what
was drafted behind it: a read that crosses over is two reads.

(``dynamic`` has other frequencies for every length beyond ``max_position_embeddings``;
lm_eval asks for no text that long.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .runner import Feed

_SWITCHING = ("longrope", "su")


def switch_length(config: Any) -> int | None:
    """Return the longest text of the first kind, None where there is one kind only."""
    fallback = getattr(config, "original_max_position_embeddings", None)
    lengths = [
        rope.get("original_max_position_embeddings") or fallback
        for rope in _ropes(config)
        if (rope.get("rope_type") or rope.get("type")) in _SWITCHING
    ]
    return min((n for n in lengths if n), default=None)


def split_at_switch(feed: Feed, held: int, switch: int | None) -> list[Feed]:
    """Split a read where the text grows beyond the switch, if logits are on both sides.

    :param held: tokens that were read before.
    """
    near = 0 if switch is None else switch - held
    wanted = near - (len(feed.tokens) - feed.wanted)
    if not (0 < near < len(feed.tokens) and wanted > 0):
        return [feed]
    return [
        Feed(feed.slot, feed.tokens[:near], wanted),
        Feed(feed.slot, feed.tokens[near:], feed.wanted - wanted),
    ]


def _ropes(config: Any) -> Iterator[dict[str, Any]]:
    """Yield the rotary parameters of a model, or of each of its layer types."""
    for name in ("rope_parameters", "rope_scaling"):
        found = getattr(config, name, None)
        if isinstance(found, dict):
            yield found
            yield from (rope for rope in found.values() if isinstance(rope, dict))
