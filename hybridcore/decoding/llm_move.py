"""The large model's move: read the blocks, judge them, choose the next token."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .. import laws
from ..dispatch import Dispatcher
from ..exchange import Block, Outcome, Verdict
from .block import block_of
from .reading import Reader
from .request import EmittedToken
from .row import Row
from .step_law import laws_of


class LlmMove:
    """Reads the blocks of waiting rows in one forward and commits the outcome."""

    def __init__(
        self, reader: Reader, drafter: Reader | None, dispatcher: Dispatcher
    ) -> None:
        self._reader = reader
        self._drafter = drafter
        self._dispatcher = dispatcher
        self._holds = dispatcher.strategy.holds()

    def __call__(self, rows: Sequence[Row]) -> None:
        """Move every row of ``rows``; each is drafting again, or finished, after."""
        before = [row.answered for row in rows]
        lengths = [len(row.ids) for row in rows]
        drafted = [len(row.drafts) for row in rows]
        block = self._read(rows)
        verdict = self._judge(block)
        accepted = verdict.accepted.tolist()
        chosen = self._choose(rows, verdict)
        for i, row in enumerate(rows):
            kept = self._commit(row, accepted[i], None if chosen is None else chosen[i])
            self._roll_back(row, lengths[i] + kept)
        self._observe(rows, before, drafted, accepted)
        for row in rows:
            row.continue_drafting()

    def _read(self, rows: Sequence[Row]) -> Block:
        wanted = [len(row.drafts) + 1 for row in rows]
        logits = self._reader.read(rows, wanted)
        places = [
            (row, k) for row, n in zip(rows, wanted, strict=True) for k in range(n)
        ]
        makers = [row.request.llm_law for row, _ in places]
        law = laws_of(makers, lambda i: _prefix(*places[i]), logits)
        return block_of(rows, logits, law)

    def _judge(self, block: Block) -> Verdict:
        verdict = self._dispatcher.verify(block) if self._holds else None
        if verdict is None:
            verdict = Verdict(block.length, laws.at(block.p, block.length))
        return verdict

    def _choose(self, rows: Sequence[Row], verdict: Verdict) -> list[int] | None:
        if verdict.next_law is None:
            return None
        law = verdict.next_law
        uniform = torch.tensor(
            [row.random.random() for row in rows],
            dtype=torch.float64,
            device=law.device,
        )
        drawn: list[int] = laws.sample(law, uniform).tolist()
        return drawn

    def _commit(self, row: Row, accepted: int, chosen: int | None) -> int:
        """Emit accepted drafts and the LLM's token; return how many drafts stayed."""
        drafted = len(row.drafts)
        kept = row.commit_drafts(accepted)
        row.tally.wasted_slm_tokens += drafted - kept
        row.tally.wasted_llm_tokens += drafted - kept
        if drafted:
            # what lies behind a stop counts as neither drafted nor accepted
            judged = drafted if row.finish is None else kept
            row.tally.count_verdict(judged, kept)
        if row.finish is None and chosen is not None:
            row.commit(self._token(row, accepted, chosen))
        return kept

    def _token(self, row: Row, accepted: int, chosen: int) -> EmittedToken:
        if accepted < len(row.drafts):
            replaced = row.drafts[accepted]
            return EmittedToken(
                chosen, True, replaced.signal, accepted=False, rejected=replaced.token
            )
        return EmittedToken(chosen, True, row.asked_signal)

    def _roll_back(self, row: Row, length: int) -> None:
        row.drafts = []
        self._reader.keep(row, length)
        if self._drafter is not None:
            self._drafter.keep(row, length)

    def _observe(
        self,
        rows: Sequence[Row],
        before: Sequence[int],
        drafted: Sequence[int],
        accepted: Sequence[int],
    ) -> None:
        emitted = [row.last_emitted(b) for row, b in zip(rows, before, strict=True)]
        self._dispatcher.observe(
            Outcome(
                tokens=[[e.token for e in row] for row in emitted],
                from_llm=[[e.from_llm for e in row] for row in emitted],
                drafted=drafted,
                accepted=accepted,
                states=[row.state for row in rows],
            )
        )


def _prefix(row: Row, drafts: int) -> Sequence[int]:
    """What stands before the position behind the first ``drafts`` drafts."""
    return row.sequence()[: len(row.ids) + drafts]
