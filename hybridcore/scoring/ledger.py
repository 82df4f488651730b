"""The tallies of the requests of one call, counted where things happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..tally import Tally
from .passage import Passage
from .request import ScoreRequest


class Ledger:
    """One tally for each request; ``ledger[i]`` is that of request ``i``."""

    def __init__(self, requests: Sequence[ScoreRequest], max_length: int) -> None:
        self._requests = requests
        self._tallies = [
            Tally(
                requests=1,
                scored_tokens=len(request.continuation),
                truncated_prompts=int(
                    len(request.context) + len(request.continuation) > max_length + 1
                ),
            )
            for request in requests
        ]

    def __getitem__(self, index: int) -> Tally:
        return self._tallies[index]

    def count_read(
        self, side: Literal["slm", "llm"], passages: Sequence[Passage]
    ) -> None:
        """Count what a model read: each passage once, on its first member."""
        for passage in passages:
            tally = self._tallies[passage.members[0]]
            size = len(passage.tokens)
            if side == "slm":
                tally.slm_forwards += 1
                tally.slm_tokens_processed += size
                continue
            tally.llm_forwards += 1
            tally.llm_tokens_processed += size
            own = len(self._requests[passage.members[0]].continuation)
            tally.llm_prefill_tokens += size - own + 1
