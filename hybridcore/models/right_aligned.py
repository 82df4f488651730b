"""Where the tokens of rows of different lengths stand in one padded call.

Tokens are right-aligned: the wanted logits are then the last columns of every row,
whatever its length. The padding before them stands where the row's first new token
stands, a position that every model has, and writes its keys behind the row's end,
where no query looks.
"""

from __future__ import annotations

from collections.abc import Sequence


def right_aligned(
    texts: Sequence[Sequence[int]], starts: Sequence[int], width: int
) -> list[list[list[int]]]:
    """Return ids, positions and places of keys, each of ``[rows, width]``.

    :param texts: what each row reads; nothing where it is idle.
    :param starts: what each row held before.
    """
    ids, positions, places = [], [], []
    for tokens, start in zip(texts, starts, strict=True):
        end = start + len(tokens)
        padding = width - len(tokens)
        # an idle row has no first token, and may be as long as positions go
        stand = start if tokens else 0
        ids.append([0] * padding + list(tokens))
        positions.append([stand] * padding + list(range(start, end)))
        places.append([*range(end, end + padding), *range(start, end)])
    return [ids, positions, places]
