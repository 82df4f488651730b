"""How many tokens are worth drafting, by what drafting is seen to cost and to bring.

A block of k drafts brings what :mod:`.acceptance` expects of it, and costs k SLM steps
and an LLM block of k + 1 tokens (Leviathan et al., arXiv 2211.17192).
The guard chooses the k with the most tokens a second; 0 leaves all to the LLM. Nothing
is then seen of drafting, so it tries one draft again when plain decoding has taken so
long that what the trial loses is a small share of it.

Why that keeps the law of a lossless strategy. Given what stands before a block, the
block's tokens follow the LLM for *every* length; so they do for a length that is chosen
by anything that happened before, of any row, and by clocks. It is chosen before the
block's first random number is used, and never changed. A length that depended on the
numbers of its own block would not do: ending a block where a draft was about to be
rejected replaces the residual by the LLM's law, and a plain step taken because the next
number is small draws from a part of the law alone.

Clocks decide, so a sampled text is not reproducible, and rows share what they learn. A
greedy text is the LLM's for every length: in float32; in half precision up to ties of
rounding, which depends on how many tokens a call reads.
"""

from __future__ import annotations

from collections.abc import Iterable

from .acceptance import Acceptance
from .step_costs import RoundCosts, StepCosts

_REFRESH = 64  # beginnings of blocks, then a plain step to measure
_PATIENCE = 8  # beginnings in a row that may be spent on measuring it
_LONGER = 3  # beginnings in a row that try longer blocks, after as many short ones
_BLOCKS = 2  # moves that judged drafts, before those with prompts are looked at
_WORTH = 1.03  # times faster than plain decoding; what is less may be chance
_LOSS = 0.02  # of the time of plain decoding, for trials


class DraftingGuard:
    """Limits blocks to the length that pays, from what it is told of moves.

    ``rows`` are always those of one move. All seconds are of whole moves.
    """

    def __init__(self) -> None:
        self._costs = StepCosts()
        self._with_prompts = StepCosts()  # until the others are known
        self.acceptance = Acceptance()
        self._longest = 0
        self._short = 0  # blocks that were cut short
        self._begun = _REFRESH  # beginnings since a plain step was last measured
        self._saved: float | None = None  # seconds a token of all rows, by drafting
        self._stopped = self._trying = False
        self._owed = 0.0  # seconds lost to trials that plain decoding has yet to repay
        self._drafting = 0.0  # seconds of the SLM since the LLM last moved
        self._reading = 0.0  # seconds and tokens of texts new to the SLM
        self._tokens_read = 0
        self._blocks = self._answers = self._answered = 0

    def limit(self, rows: int) -> int | None:
        """Return the most drafts of blocks that begin now.

        None: as many as the strategy drafts.
        """
        self._trying, self._saved = False, None
        if not self._longest:
            return None
        if self._is_to_measure():
            return 0
        costs = self._at(rows)
        if costs is None:
            return None
        best = self._choose(costs)
        if best:
            self._stopped = False
            return self._drafts(best)
        return self._plain_or_trial(costs)

    def opens(self, rows: int, unread: int, left: int) -> bool:
        """Tell whether a row repays what the SLM must read before it can draft.

        To be asked after :meth:`limit`, for the rows that begin with it.

        :param unread: tokens of the row that the SLM has not read.
        :param left: tokens that the row may still emit.
        """
        if unread <= self._step or self._saved is None or not self._tokens_read:
            return True
        if self._trying:
            return True
        if self._answers:
            left = min(left, round(self._answered / self._answers))
        return left * self._saved / rows > unread * self._reading / self._tokens_read

    def drafted(
        self, rows: int, drafts: int, unread: int, most: int, seconds: float
    ) -> None:
        """Learn from a move of the SLM.

        :param drafts: tokens that joined blocks, all rows together.
        :param unread: tokens that it read, all rows together.
        :param most: tokens that it read of one row.
        """
        self._drafting += seconds
        if drafts:
            self._with_prompts.drafted(rows, seconds * rows / drafts)
        if most > self._step:
            self._reading += seconds
            self._tokens_read += unread
        elif drafts:
            self._costs.drafted(rows, seconds * rows / drafts)

    def judged(
        self,
        judged: Iterable[tuple[int, int]],
        width: int,
        seconds: float,
        in_step: bool,
    ) -> None:
        """Learn from a move of the LLM.

        :param judged: of each row, drafts and how many of them were accepted.
        :param width: tokens of the longest block that it read, with the one behind
            the drafts; the others are padded to it, wherever the answer then stopped.
        :param in_step: it read blocks alone, no prompts: the time says what they cost.
        """
        blocks = list(judged)
        rows = len(blocks)
        self._longest = max(self._longest, *(drafted for drafted, _ in blocks))
        self._blocks += width > 1
        self._with_prompts.judged(rows, width, seconds)
        if in_step:
            self._costs.judged(rows, width, seconds)
            if width == 1:
                self._begun = 0
        self.acceptance.judged(blocks)
        emitted = rows + sum(accepted for _, accepted in blocks)
        self._settle(emitted, rows, seconds if in_step else None)

    def finished(self, tokens: int) -> None:
        """A row ended after so many tokens."""
        self._answers += 1
        self._answered += tokens

    @property
    def _step(self) -> int:
        """Tokens that an SLM which keeps up reads of a row: a block, and the LLM's."""
        return self._longest + 1

    def _at(self, rows: int) -> RoundCosts | None:
        """Return what rounds cost.

        Where answers are short, hardly a move goes by without a new prompt. Until some
        did, moves with prompts stand in: each token that is emitted brings its share of
        them, drafted or not, so which of two lengths is faster shows all the same.
        """
        if self._blocks < _BLOCKS:
            return self._costs.at(rows)
        return self._costs.at(rows) or self._with_prompts.at(rows)

    def _is_to_measure(self) -> bool:
        """Whether to leave drafting out for once, to see what a plain step costs.

        A prompt, or a row that is still amid a block, spoils a measurement, so it is
        asked for until there is one, but not for long: where drafts are good, that
        costs.
        """
        self._begun += 1
        if self._begun > _REFRESH + _PATIENCE:
            self._begun = 0
        return self._begun > _REFRESH

    def _choose(self, costs: RoundCosts) -> int:
        """Return the length with the most tokens a second."""
        tokens = self.acceptance.tokens(self._longest)
        seconds = [costs.round(k) for k in range(self._longest + 1)]
        rates = [n / s for n, s in zip(tokens, seconds, strict=True)]
        rates[0] *= _WORTH
        best = rates.index(max(rates))
        self._saved = seconds[0] - seconds[best] / tokens[best]
        return best

    def _drafts(self, best: int) -> int | None:
        """Return the length that pays best, or now and then a longer one.

        What short blocks accept need not tell what long ones would.
        """
        if best < self._longest:
            self._short = (self._short + 1) % (_REFRESH + _LONGER)
            if self._short >= _REFRESH:
                best = 2 * best + 1
        return best if best < self._longest else None

    def _plain_or_trial(self, costs: RoundCosts) -> int:
        if not self._stopped:
            self._stopped = True
            self._owed = costs.round(1) - costs.round(0)
        self._trying = self._owed <= 0.0
        return int(self._trying)

    def _settle(self, emitted: int, rows: int, seconds: float | None) -> None:
        """Pay for a trial, or save for the next one."""
        costs = self._at(rows)
        if costs is not None:
            plain = costs.round(0)
            judging = plain if seconds is None else seconds
            if not self._drafting:
                self._owed -= _LOSS * judging
            elif self._trying:
                self._owed += self._drafting + judging - plain * emitted / rows
        self._drafting = 0.0
