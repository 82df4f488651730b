"""The tallies of the requests of one call, counted where things happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..tally import Tally
from .page import Page
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

    def count_read(self, side: Literal["slm", "llm"], page: Page) -> None:
        """Count what a model read: each passage once, on its first member.

        What stands before the last scored token is the prompt's; of that, what had
        been read with another passage was reused.
        """
        for passage, fresh in zip(page.passages, page.fresh, strict=True):
            tally = self._tallies[passage.members[0]]
            own = len(self._requests[passage.members[0]].continuation)
            prompt = len(passage.tokens) - own + 1
            reused = min(prompt, len(passage.tokens) - fresh)
            tally.reused_prefix_tokens += reused
            if side == "slm":
                tally.slm_forwards += 1
                tally.slm_tokens_processed += fresh
                continue
            tally.llm_forwards += 1
            tally.llm_tokens_processed += fresh
            tally.llm_prefill_tokens += prompt - reused
