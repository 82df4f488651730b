"""What is counted: one tally for each request, summed for tasks and runs.

Nothing is derived from settings; every number is incremented where the thing
happens. Names follow vLLM's and SGLang's speculative-decoding statistics.

Identities (each has a test)::

    tokens_from_slm + tokens_from_llm == tokens_out
    sum(acceptance_histogram) == num_spec_steps
    sum(i * acceptance_histogram[i]) == num_accepted_draft_tokens
    sum(accepted_per_pos) == num_accepted_draft_tokens

Tokens behind a stop or an end-of-sequence token are never counted as emitted,
drafted or accepted, only as wasted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """The counts of one request, or of many.

    Attributes:
        requests: requests counted.
        tokens_out: tokens emitted, the end-of-sequence token included.
        tokens_from_slm, tokens_from_llm: by the model that chose them.
        slm_forwards, llm_forwards: forwards that a request took part in; one that is
            split into several calls is one.
        slm_tokens_processed, llm_tokens_processed: tokens read, without padding, each
            time they are.
        llm_prefill_tokens: of those of the LLM, tokens of the prompt, each once.
        reused_prefix_tokens: prompt tokens not read because a slot held them,
            both models together.
        num_spec_steps: blocks of at least one draft that the LLM judged.
        num_draft_tokens, num_accepted_draft_tokens: tokens in those blocks.
        acceptance_histogram: at ``i``, blocks of which ``i`` tokens were accepted.
        num_plain_steps: LLM steps before which ``adaptive`` left drafting out.
        wasted_slm_tokens: drafted tokens that were not emitted.
        wasted_llm_tokens: drafted tokens that the LLM read and that were not emitted.
        scored_tokens: tokens whose log-likelihood was asked for.
        scored_from_llm: of those, tokens scored by the LLM's law.
        llm_requests_skipped: requests that never ran the LLM.
        truncated_prompts: prompts cut from the left to fit the window.
        empty_contexts: requests scored from the prefix token alone.
        zero_budget_requests: requests of ``max_gen_toks=0``, answered by "".
    """

    requests: int = 0
    tokens_out: int = 0
    tokens_from_slm: int = 0
    tokens_from_llm: int = 0
    slm_forwards: int = 0
    llm_forwards: int = 0
    slm_tokens_processed: int = 0
    llm_tokens_processed: int = 0
    llm_prefill_tokens: int = 0
    reused_prefix_tokens: int = 0
    num_spec_steps: int = 0
    num_draft_tokens: int = 0
    num_accepted_draft_tokens: int = 0
    acceptance_histogram: list[int] = field(default_factory=list)
    num_plain_steps: int = 0
    wasted_slm_tokens: int = 0
    wasted_llm_tokens: int = 0
    scored_tokens: int = 0
    scored_from_llm: int = 0
    llm_requests_skipped: int = 0
    truncated_prompts: int = 0
    empty_contexts: int = 0
    zero_budget_requests: int = 0

    def count_verdict(self, drafted: int, accepted: int) -> None:
        """Count one judged block of ``drafted`` tokens, ``accepted`` of them kept."""
        self.num_spec_steps += 1
        self.num_draft_tokens += drafted
        self.num_accepted_draft_tokens += accepted
        missing = accepted + 1 - len(self.acceptance_histogram)
        self.acceptance_histogram.extend([0] * missing)
        self.acceptance_histogram[accepted] += 1

    def add(self, other: Tally) -> None:
        """Add another tally to this one, field by field."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.acceptance_histogram = _add_lists(
            self.acceptance_histogram, other.acceptance_histogram
        )

    @classmethod
    def total(cls, tallies: Iterable[Tally]) -> Tally:
        """Return the sum of many tallies."""
        result = cls()
        for tally in tallies:
            result.add(tally)
        return result

    def accepted_per_pos(self) -> list[int]:
        """Return, for each draft position, how often it was accepted."""
        histogram = self.acceptance_histogram
        return [sum(histogram[i + 1 :]) for i in range(len(histogram) - 1)]

    def as_dict(self) -> dict[str, Any]:
        """Return the counts together with the ratios read off them.

        A ratio whose denominator is zero is None: nothing was measured.
        """
        counts = dataclasses.asdict(self)
        counts["accepted_per_pos"] = self.accepted_per_pos()
        counts["llm_token_fraction"] = _ratio(self.tokens_from_llm, self.tokens_out)
        counts["draft_acceptance_rate"] = _ratio(
            self.num_accepted_draft_tokens, self.num_draft_tokens
        )
        counts["mean_acceptance_length"] = _ratio(
            self.num_accepted_draft_tokens + self.num_spec_steps, self.num_spec_steps
        )
        return counts


_COUNTS = tuple(
    f.name for f in dataclasses.fields(Tally) if f.name != "acceptance_histogram"
)


def _add_lists(a: list[int], b: list[int]) -> list[int]:
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    result = list(longer)
    for i, count in enumerate(shorter):
        result[i] += count
    return result


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
