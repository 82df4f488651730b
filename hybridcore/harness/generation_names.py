"""Generation arguments by name: known, without effect here, or not to be had here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import GenerationConfig

from ..errors import RequestError, did_you_mean

# of lm_eval; the four lengths are one argument
LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
OF_LM_EVAL = ("until", *LENGTHS, "do_sample", "temperature")
# what generate keeps, returns or caches, not which tokens it chooses
_SILENT = frozenset(
    (
        "use_cache",
        "pad_token_id",
        "attention_mask",
        "output_attentions",
        "output_hidden_states",
        "output_scores",
        "output_logits",
        "return_dict_in_generate",
    )
)
_ONE_LOOP = "the loop of HybridLM takes the place of generate's"
_REFUSED = {
    "max_time": "an answer would depend on the machine's speed",
    "stop": "write until=... instead",
    "stop_strings": "write until=... instead",
    "generation_config": "give its fields as arguments",
    "encoder_repetition_penalty": "it reads an encoder's input",
    "encoder_no_repeat_ngram_size": "it reads an encoder's input",
    "token_healing": "it changes the prompt",
    "is_assistant": "drafting is the strategy's part",
    "assistant_model": "drafting is the strategy's part: name it as slm",
    "streamer": "answers are handed over when they are finished",
    "logits_processor": _ONE_LOOP,
    "stopping_criteria": _ONE_LOOP,
    "prefix_allowed_tokens_fn": _ONE_LOOP,
    "negative_prompt_ids": _ONE_LOOP,
    "custom_generate": _ONE_LOOP,
}
# of a generation_config, what says where it comes from
ORIGIN = ("transformers_version", "_from_model_config")
_FIELDS = tuple(name for name in GenerationConfig().to_dict() if name not in ORIGIN)
KNOWN = (*OF_LM_EVAL, *_FIELDS)


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return generation arguments less those that say nothing about the tokens.

    :raises RequestError: a name that neither lm_eval nor transformers knows, or one
        that would change the tokens in a way that is not done here.
    """
    for name, value in given.items():
        if name in _REFUSED:
            if value is not None and value is not False:
                raise RequestError(
                    f"generation argument {name}={value!r} cannot be had here: "
                    f"expected none\n{_REFUSED[name]}"
                )
        elif name not in KNOWN and name not in _SILENT:
            raise RequestError(
                f"unknown generation argument {name!r}{did_you_mean(name, KNOWN)}\n"
                f"expected {', '.join(OF_LM_EVAL)} of lm_eval, or a field of "
                "transformers' GenerationConfig"
            )
    left_out = {*_SILENT, *_REFUSED}
    return {name: value for name, value in given.items() if name not in left_out}
