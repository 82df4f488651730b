"""What decoding steps cost, as measured: seconds, by the number of rows.

Costs are medians of the last few measurements, so that one slow moment of the machine
decides nothing. Between two widths of a block that were measured, and beyond them, the
cost is a straight line.
"""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median

_KEPT = 7  # measurements of one kind


class RowCosts:
    """The costs at one number of rows; all of them together take these seconds."""

    def __init__(self) -> None:
        self._draft: deque[float] = deque(maxlen=_KEPT)
        self._blocks: dict[int, deque[float]] = {}

    def drafted(self, seconds: float) -> None:
        """Every row got one more draft in this time."""
        self._draft.append(seconds)

    def judged(self, width: int, seconds: float) -> None:
        """The LLM read ``width`` tokens of every row in this time."""
        self._blocks.setdefault(width, deque(maxlen=_KEPT)).append(seconds)

    @property
    def complete(self) -> bool:
        """Whether drafts, plain steps and blocks of drafts were all measured."""
        return bool(self._draft) and 1 in self._blocks and len(self._blocks) > 1

    @property
    def plain(self) -> float | None:
        """Seconds of a plain step of the LLM, if one was measured."""
        return median(self._blocks[1]) if 1 in self._blocks else None

    def round(self, drafts: int) -> float:
        """Return the seconds of a block of ``drafts`` tokens, drafted and judged.

        To be asked where :attr:`complete`.
        """
        return drafts * median(self._draft) + self._block(drafts + 1)

    def _block(self, width: int) -> float:
        if width in self._blocks:
            return median(self._blocks[width])
        widths = sorted(self._blocks)
        above = next((i for i, known in enumerate(widths) if known > width), -1)
        low, high = widths[above - 1], widths[above]
        first, second = median(self._blocks[low]), median(self._blocks[high])
        # a wider block is not faster, whatever the noise says
        slope = max(0.0, (second - first) / (high - low))
        return first + slope * (width - low)


class StepCosts:
    """The costs at every number of rows that there was."""

    def __init__(self) -> None:
        self._known: dict[int, RowCosts] = defaultdict(RowCosts)

    def of(self, rows: int) -> RowCosts:
        """Return the costs at exactly this number of rows, perhaps incomplete."""
        return self._known[rows]

    def nearest(self, rows: int) -> RowCosts | None:
        """Return complete costs of the nearest number of rows, None without any."""
        complete = [known for known, costs in self._known.items() if costs.complete]
        if not complete:
            return None
        return self._known[min(complete, key=lambda known: abs(known - rows))]
