"""The least time that generation takes on a machine."""

from __future__ import annotations

import math
from typing import Any

from .machine import Machine
from .needed import Cost, cost_of, prompt_trie
from .workload import Workload


class DecodingLimit:
    """Prompts at the rate of a large product, then steps that read all weights.

    :param lm: an ``HFLM`` on the LLM.
    """

    def __init__(self, lm: Any, workload: Workload, machine: Machine) -> None:
        self.prompts = prompt_trie(lm, workload)
        self._requests = len(workload)
        self._machine = machine
        self._cost = cost_of(lm.model)

    def seconds(self, emitted: int, rows: int) -> float:
        """Return the limit of emitting tokens one by one in ``rows`` rows.

        The first token of each answer comes with its prompt.
        """
        left = max(0, emitted - self._requests)
        return self._reading() + self._steps(self._cost, math.ceil(left / rows), left)

    def seconds_of_calls(
        self, calls: int, emitted: int, rows: int, drafting: float = 0.0
    ) -> float:
        """Return the limit of as many calls of the LLM as a side made.

        :param rows: prompts that one call may read.
        :param drafting: seconds that the small model needs at least.
        """
        steps = self._behind_prompts(calls, rows)
        left = max(0, emitted - self._requests)
        return self._reading() + self._steps(self._cost, steps, left) + drafting

    def drafting(self, model: Any, calls: int, rows: int) -> float:
        """Return the least seconds of ``calls`` calls of a small model."""
        steps = self._behind_prompts(calls, rows)
        return self._steps(cost_of(model), steps, steps)

    def _behind_prompts(self, calls: int, rows: int) -> int:
        return max(0, calls - math.ceil(self._requests / rows))

    def _reading(self) -> float:
        return self._cost.operations(self.prompts) / self._machine.operations

    def _steps(self, cost: Cost, steps: int, tokens: int) -> float:
        reading = steps * cost.weight_bytes / self._machine.bandwidth
        return max(reading, tokens * cost.token_operations / self._machine.operations)
