"""What an answer depends on, besides the request: the stamp of a response cache."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from .generation_names import ORIGIN

if TYPE_CHECKING:
    from .hybrid_lm import HybridLM
    from .loading import CausalHFLM

_SETTINGS = (
    "seed",
    "max_length",
    "scoring_window",
    "truncation",
    "add_bos_token",
    "custom_prefix_token_id",
    "think_end_token",
    "softmax_dtype",
    "mixed_precision_dtype",
)


def fingerprint(lm: HybridLM) -> dict[str, str]:
    """Return what must be equal for two set-ups to share answers.

    Models are known by what is in them, not by their place: a copied folder is the
    same model, a retrained one in the same folder is not.
    """
    strategy, slm = lm.strategy, None
    if lm.runs_slm or lm.scores_with_slm:
        slm = lm.pair.slm
    stamp = {
        "strategy": f"{type(strategy).__module__}.{type(strategy).__qualname__}",
        "options": repr(strategy.options()),
        "scoring": lm.scoring,
        **_of_model("llm", lm.pair.llm),
        **_of_model("slm", slm),
    }
    return stamp | {name: str(getattr(lm, name)) for name in _SETTINGS}


def _of_model(role: str, member: CausalHFLM | None) -> dict[str, str]:
    if member is None:
        return {role: "none"}
    return {
        role: f"{member.named} [{member.digest}]",
        f"{role} revision": str(member.revision),
        f"{role} dtype": str(getattr(member.model, "dtype", None)),
        f"{role} tokenizer": _tokenizer_digest(member.tokenizer),
        f"{role} generation_config": _generation_defaults(member.model),
    }


def _generation_defaults(model: Any) -> str:
    """Return what a model's generation_config sets: temperature, penalties, ..."""
    config = getattr(model, "generation_config", None)
    if config is None:
        return "none"
    said = config.to_diff_dict()
    kept = {name: value for name, value in said.items() if name not in ORIGIN}
    return json.dumps(kept, sort_keys=True, default=str)


def _tokenizer_digest(tokenizer: Any) -> str:
    words = json.dumps(sorted(tokenizer.get_vocab().items()))
    special = json.dumps(tokenizer.special_tokens_map, sort_keys=True, default=str)
    return hashlib.blake2b(f"{words}{special}".encode(), digest_size=8).hexdigest()
