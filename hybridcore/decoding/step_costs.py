"""What decoding steps cost, as measured: seconds, by the number of rows.

Costs are medians of the last few measurements, so that one slow moment of the machine
decides nothing. Between two widths of a block that were measured, and beyond them, the
cost is a straight line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Mapping
from statistics import median
from typing import TypeVar

_KEPT = 7  # measurements of one kind

_Known = TypeVar("_Known")


class Timing:
    """Seconds of one kind of step: the median of the last measurements."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_KEPT)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Take one measurement."""
        self._last.append(seconds)
        self.seconds = median(self._last)


class RoundCosts:
    """What a round costs: so many drafts, and the LLM's reading of them.

    :param draft: seconds in which every row gets one more draft.
    :param plain: seconds of a step of the LLM without drafts.
    :param blocks: what it takes to read so many tokens of every row, two at least.
    """

    def __init__(
        self, draft: float, plain: float, blocks: Mapping[int, Timing]
    ) -> None:
        self._draft = draft
        self._widths = [1, *sorted(blocks)]
        self._seconds = [plain, *(blocks[w].seconds for w in self._widths[1:])]

    def round(self, drafts: int) -> float:
        """Return the seconds of a block of ``drafts`` tokens, drafted and judged."""
        return drafts * self._draft + self._block(drafts + 1)

    def _block(self, width: int) -> float:
        widths, seconds = self._widths, self._seconds
        start = bisect_right(widths, width) - 1
        low = min(start, len(widths) - 2)
        slope = (seconds[low + 1] - seconds[low]) / (widths[low + 1] - widths[low])
        # a wider block is not faster, whatever the noise says
        return seconds[start] + max(0.0, slope) * (width - widths[start])


class StepCosts:
    """The costs at every number of rows that there was."""

    def __init__(self) -> None:
        self._drafts: dict[int, Timing] = defaultdict(Timing)
        self._plain: dict[int, Timing] = defaultdict(Timing)
        self._blocks: dict[int, dict[int, Timing]] = defaultdict(
            lambda: defaultdict(Timing)
        )

    def drafted(self, rows: int, seconds: float) -> None:
        """Every one of ``rows`` rows got one more draft in this time."""
        self._drafts[rows].add(seconds)

    def judged(self, rows: int, width: int, seconds: float) -> None:
        """The LLM read ``width`` tokens of every row in this time."""
        kind = self._plain[rows] if width == 1 else self._blocks[rows][width]
        kind.add(seconds)

    def at(self, rows: int) -> RoundCosts | None:
        """Return the costs at this number of rows, None before all were measured.

        Each kind of step is looked up at the number of rows nearest to it at which
        that kind was measured: where answers are short, a batch is seldom twice of
        the same size without a prompt in it.
        """
        if not (self._drafts and self._plain and self._blocks):
            return None
        return RoundCosts(
            _nearest(self._drafts, rows).seconds,
            _nearest(self._plain, rows).seconds,
            _nearest(self._blocks, rows),
        )


def _nearest(known: Mapping[int, _Known], rows: int) -> _Known:
    if rows in known:
        return known[rows]
    return known[min(known, key=lambda other: abs(other - rows))]
