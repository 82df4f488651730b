"""The large model's move: read the blocks, judge them, choose the next token."""

from __future__ import annotations

from collections.abc import Sequence

from .. import laws
from ..dispatch import Dispatcher
from ..exchange import Verdict
from ..hook_checks import law_facts
from ..transfer import fetch
from .block import block_of
from .observing import tell_committed
from .reading import Reader
from .request import EmittedToken
from .row import Row
from .step_law import PositionLaws

# tokens accepted of a row's block, and the token behind them
_Ruling = tuple[int, "int | None"]


class LlmMove:
    """Reads the blocks of waiting rows in one forward and commits the outcome."""

    def __init__(
        self, reader: Reader, drafter: Reader | None, dispatcher: Dispatcher
    ) -> None:
        self._reader = reader
        self._drafter = drafter
        self._dispatcher = dispatcher
        self._judge = self._verify if dispatcher.strategy.holds() else self._trust

    def __call__(self, rows: Sequence[Row]) -> None:
        """Move every row of ``rows``; each is drafting again, or finished, after."""
        before = [row.answered for row in rows]
        judged = []
        # a lossless strategy has nothing to say of rows that it was kept from drafting
        judge = self._trust if all(r.limit == 0 for r in rows) else self._judge
        for row, (accepted, chosen) in zip(
            rows, judge(rows, self._read(rows)), strict=True
        ):
            judged.append(self._commit(row, accepted, chosen))
            self._roll_back(row)
        tell_committed(self._dispatcher, rows, before, judged)
        for row in rows:
            row.continue_drafting()

    def _read(self, rows: Sequence[Row]) -> PositionLaws:
        wanted = [len(row.drafts) + 1 for row in rows]
        logits = self._reader.read(rows, wanted)
        places = [
            (row, k) for row, n in zip(rows, wanted, strict=True) for k in range(n)
        ]
        makers = [row.request.llm_law for row, _ in places]
        return PositionLaws(makers, lambda i: _prefix(*places[i]), logits)

    def _trust(self, rows: Sequence[Row], p: PositionLaws) -> list[_Ruling]:
        """Without drafts to judge: one token of p for each row."""
        drawn = p.draw([row.numbers.peek() for row in rows])
        best, tokens = fetch(p.best, drawn)
        self._reader.check(best)
        for row in rows:
            row.numbers.take()
        return [(0, token) for token in tokens]

    def _verify(self, rows: Sequence[Row], p: PositionLaws) -> list[_Ruling]:
        block = block_of(rows, p, self._drafter is not None)
        with self._reader.blamed(p):
            verdict = self._dispatcher.unread_verdict(block)
        if verdict is None:
            last = laws.at(block.p, block.length)
            verdict = Verdict(block.length, last)
        return self._rulings(rows, verdict, p)

    def _rulings(
        self, rows: Sequence[Row], verdict: Verdict, p: PositionLaws
    ) -> list[_Ruling]:
        law = verdict.next_law
        drawn = None
        if law is not None:
            drawn = laws.draw(law, [row.numbers.peek() for row in rows])
        fetched = fetch(p.best, verdict.accepted, drawn, *law_facts(law))
        best, accepted, tokens, sums, lowest = fetched
        self._reader.check(best)
        lengths = [len(row.drafts) for row in rows]
        self._dispatcher.checks.verdict_values(accepted, lengths, sums, lowest)
        rulings = []
        for i, row in enumerate(rows):
            emits = sums is not None and sums[i] > 0.0
            if emits:
                row.numbers.take()
            rulings.append((accepted[i], tokens[i] if emits else None))
        return rulings

    def _commit(self, row: Row, accepted: int, chosen: int | None) -> tuple[int, int]:
        """Emit accepted drafts and the LLM's token.

        Return the drafts that count as judged, and how many of them stayed.
        """
        drafted = len(row.drafts)
        kept = row.commit_drafts(accepted)
        row.tally.wasted_slm_tokens += drafted - kept
        row.tally.wasted_llm_tokens += drafted - kept
        # what lies behind a stop counts as neither drafted nor accepted
        judged = drafted if row.finish is None else kept
        if drafted:
            row.tally.count_verdict(judged, kept)
        if row.finish is None and chosen is not None:
            row.commit(self._token(row, accepted, chosen))
        return judged, kept

    def _token(self, row: Row, accepted: int, chosen: int) -> EmittedToken:
        if accepted < len(row.drafts):
            replaced = row.drafts[accepted]
            return EmittedToken(
                chosen, True, replaced.signal, accepted=False, rejected=replaced.token
            )
        return EmittedToken(chosen, True, row.signal)

    def _roll_back(self, row: Row) -> None:
        self._reader.keep(row)
        if self._drafter is not None:
            self._drafter.keep(row)


def _prefix(row: Row, drafts: int) -> Sequence[int]:
    """What stands before the position behind the first ``drafts`` drafts."""
    return row.sequence()[: len(row.ids) + drafts]
