"""One call of ``generate_until``: requests in, texts out, in lm_eval's order."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ..decoding.engine import Engine
from ..decoding.generation_law import GenerationLaws
from ..decoding.randomness import row_seed
from ..decoding.request import Answer, GenerationRequest
from .batch_size import rows_in_flight
from .generation import Prompt, eos_ids, prompt_of, text_of
from .occurrences import repeat_indices
from .processes import warn
from .recorder import source_of

if TYPE_CHECKING:
    from .hybrid_lm import HybridLM

logger = logging.getLogger(__name__)

_BLOCK = 16  # tokens of a block where the strategy does not say how many it drafts


class GenerationCall:
    """Requests of any generation arguments, answered in one run of the engine.

    Everything that can be refused is refused at construction.
    """

    def __init__(self, lm: HybridLM, requests: Sequence[Any]) -> None:
        self._lm = lm
        self._requests = requests
        self._prompts = [prompt_of(lm, *request.args) for request in requests]
        sources = [source_of(request) for request in requests]
        keys = zip(sources, (prompt.tokens for prompt in self._prompts), strict=True)
        self._repeats = repeat_indices(list(keys))
        members = lm.pair.members(lm.runs_slm)
        self._laws = [GenerationLaws(member.model) for member in members]
        self._queue = [self._engine_request(i) for i in range(len(requests))]
        # longest first, as HFLM: memory runs out at once or never
        self._queue.sort(key=lambda r: (-len(r.prompt), r.prompt))
        self._texts: list[str] = [""] * len(requests)
        lm.in_flight = 0

    def run(self, quiet: bool) -> list[str]:
        """Return the texts; each is cached, counted and traced when it is ready."""
        self._warn()
        bar = tqdm(
            total=len(self._requests),
            desc="Running generate_until requests",
            disable=quiet,
        )
        tokens = from_llm = 0
        engine = self._engine()  # loading and probing are off the clock
        with bar, self._lm.recorder.ledger.timed("generation_s"):
            for answer in engine.run(self._feed()):
                self._finish(answer)
                tokens += answer.tally.tokens_out
                from_llm += answer.tally.tokens_from_llm
                share = f"{100 * from_llm / tokens:.0f}%" if tokens else "-"
                bar.set_postfix(rows=self._lm.in_flight, llm=share, refresh=False)
                bar.update()
        return self._texts

    def _engine_request(self, index: int) -> GenerationRequest:
        lm, prompt = self._lm, self._prompts[index]
        lengths = (len(prompt.tokens), prompt.max_new_tokens)
        made = [laws.law(prompt.kwargs, *lengths) for laws in self._laws]
        return GenerationRequest(
            prompt=prompt.tokens,
            max_new_tokens=prompt.max_new_tokens,
            slm_law=made[0],
            llm_law=made[-1],
            eos=eos_ids(lm.model, lm.tokenizer, prompt.kwargs),
            stops=prompt.until,
            decode=lm.tokenizer.decode,
            seed=row_seed(lm.seed, prompt.tokens, self._repeats[index]),
            generation_kwargs=self._requests[index].args[1],
            key=index,
        )

    def _engine(self) -> Engine:
        lm, rows = self._lm, self._rows()
        slm = lm.pair.runner("slm", rows) if lm.runs_slm else None
        llm = lm.pair.runner("llm", rows)
        vocabulary = lm.pair.vocabulary(lm.runs_slm)
        adaptive = lm.adaptive and lm.strategy.adaptable()
        return Engine(slm, llm, lm.dispatcher, vocabulary, rows, adaptive)

    def _rows(self) -> int:
        lm = self._lm
        if lm.batch_size != "auto":
            # every row has its room in the cache, used or not
            return max(1, min(int(lm.batch_size), len(self._prompts)))
        lm.pair.release()  # what is held is not free
        longest = max(len(p.tokens) + p.max_new_tokens for p in self._prompts)
        drafts = lm.strategy.options().get("num_drafts", _BLOCK)
        models = [member.model for member in lm.pair.prepared(lm.runs_slm)]
        limit = min(lm.max_batch_size or 64, len(self._prompts))
        rows = rows_in_flight(models, longest, drafts + 1, limit)
        lm.note_batch_size(rows)
        return rows

    def _feed(self) -> Iterator[GenerationRequest]:
        for request in self._queue:
            self._lm.in_flight += 1
            yield request

    def _finish(self, answer: Answer) -> None:
        index = answer.request.key
        self._lm.in_flight -= 1
        request, prompt = self._requests[index], self._prompts[index]
        text = text_of(self._lm, answer.tokens, prompt.until)
        self._texts[index] = text
        self._lm.cache_hook.add_partial("generate_until", request.args, text)
        prompt.count(answer.tally)
        self._lm.recorder.answer(request, self._repeats[index], answer, text)

    def _warn(self) -> None:
        _warn_of(
            [p for p in self._prompts if p.truncated],
            f"longer than the window of {self._lm.max_length} tokens less the answer's "
            "budget: cut from the left",
        )
        _warn_of(
            [p for p in self._prompts if p.empty],
            "empty: answered from the prefix token",
        )
        _warn_of(
            [p for p in self._prompts if not p.max_new_tokens],
            "left without a token to generate (max_gen_toks=0): answered with ''",
        )


def _warn_of(prompts: Sequence[Prompt], what: str) -> None:
    if prompts:
        warn(logger, "%d prompts are %s", len(prompts), what)
