"""When the LLM moves while other rows still draft: ski rental.

Waiting rows pay for every step they sit out; a call of the LLM costs as many SLM
steps as it has more parameters. It is made when the rent has reached the price, so
asks that come together share a forward and a rare ask does not hold its row for
long. The price is a constant of the pair, so schedules and counts are reproducible.
"""

from __future__ import annotations


class Patience:
    """Sums the steps that waiting rows have sat out since the LLM last moved."""

    def __init__(self, price: float) -> None:
        """``price``: cost of an LLM step in SLM steps."""
        self._price = price
        self._paid = 0.0

    def sit_out(self, rows: int) -> None:
        """``rows`` waiting rows sat out one step."""
        self._paid += rows

    def spent(self) -> bool:
        """Tell whether waiting on would cost more than the call."""
        return self._paid >= self._price

    def reset(self) -> None:
        """The LLM moved."""
        self._paid = 0.0
