"""From lm_eval's ``generate_until`` to engine requests, and back to text.

Everything that touches text is done as ``HFLM`` does it with a batch of one, so that
the same tokens give the same text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from ..errors import RequestError
from ..tally import Tally
from .generation_names import checked


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request as ``HFLM`` would hand it to ``generate``.

    ``kwargs`` are generation arguments without stop strings and lengths; ``until``
    contains the end-of-sequence text. ``truncated`` and ``empty`` say what was done
    to the context to make it readable.
    """

    tokens: tuple[int, ...]
    max_new_tokens: int
    until: tuple[str, ...]
    kwargs: Mapping[str, Any]
    truncated: bool = False
    empty: bool = False

    def count(self, tally: Tally) -> None:
        """Count what was unusual about this prompt."""
        tally.truncated_prompts += self.truncated
        tally.empty_contexts += self.empty
        tally.zero_budget_requests += self.max_new_tokens == 0


def prompt_of(lm: Any, context: str, gen_kwargs: Any) -> Prompt:
    """Read one ``(context, gen_kwargs)`` of lm_eval.

    :param lm: an ``HFLM``, for its tokenizer, window and BOS rules.
    :raises RequestError: the arguments leave no room for a prompt, or are no
        generation arguments.
    """
    if not isinstance(gen_kwargs, dict):
        raise RequestError(f"generation arguments {gen_kwargs!r}: expected a mapping")
    kwargs = _normalized(checked(gen_kwargs), lm.max_gen_toks)
    until = handle_stop_sequences(kwargs.pop("until"), eos=_eos_text(lm))
    if not all(isinstance(stop, str) for stop in until):
        raise RequestError(f"until={until!r}: expected strings")
    budget = kwargs.pop("max_gen_toks")
    whole, empty = _encoded(lm, context)
    tokens = whole[-_room(lm.max_length, budget) :]
    if (length := kwargs.pop("max_length", None)) is not None:
        budget = min(max(length, len(tokens)), lm.max_length) - len(tokens)
    return Prompt(
        tokens=tuple(tokens),
        max_new_tokens=budget,
        until=tuple(until),
        kwargs=kwargs,
        truncated=len(tokens) < len(whole),
        empty=empty,
    )


def text_of(lm: Any, tokens: Sequence[int], until: Sequence[str]) -> str:
    """Return the answer's text: thinking, special tokens and stop strings removed."""
    think_end = lm.think_end_token
    answer = list(tokens)
    if isinstance(think_end, int) and think_end in answer:
        answer = answer[len(answer) - answer[::-1].index(think_end) :]
    text: str = lm.tok_decode(answer)
    if isinstance(think_end, int):
        text = text.lstrip()
    return postprocess_generated_text(
        generation=text,
        stop=list(until),
        think_end_token=think_end if isinstance(think_end, str) else None,
    )


def eos_ids(model: Any, tokenizer: Any, kwargs: Mapping[str, Any]) -> frozenset[int]:
    """Return every id that ends an answer of the LLM.

    Those of its generation_config, or of the request in their place, and the
    tokenizer's, whose text is always among lm_eval's stop strings.
    """
    ids = kwargs.get("eos_token_id", model.generation_config.eos_token_id)
    ids = ids if isinstance(ids, (list, tuple)) else [ids]
    return frozenset(i for i in (*ids, tokenizer.eos_token_id) if i is not None)


def _normalized(kwargs: Mapping[str, Any], default_budget: int) -> dict[str, Any]:
    try:
        result: dict[str, Any] = dict(normalize_gen_kwargs(kwargs, default_budget))
        if (length := result.get("max_length")) is not None:
            result["max_length"] = int(length)
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"generation arguments {dict(kwargs)!r}: {error}\n"
            "expected a number of tokens as max_gen_toks, a number as temperature"
        ) from None
    return result


def _eos_text(lm: Any) -> str | None:
    if lm.eot_token_id is None:
        return None
    text: str = lm.tok_decode(lm.eot_token_id, skip_special_tokens=False)
    return text


def _encoded(lm: Any, context: str) -> tuple[list[int], bool]:
    """Return the context's ids; the prefix token where it has none."""
    if context:
        ids, _ = lm.tok_batch_encode([context], truncation=lm.truncation)
        tokens: list[int] = ids[0].tolist()
        if tokens:
            return tokens, False
    return [lm.prefix_token_id], True


def _room(window: int, budget: int) -> int:
    if budget < 0:
        raise RequestError(f"max_gen_toks={budget}: expected 0 or more")
    if budget >= window:
        raise RequestError(
            f"max_gen_toks={budget}: expected less than the window of {window} tokens\n"
            "lower max_gen_toks, or raise max_length where the models allow it"
        )
    return window - budget
