"""What a model's configuration alone shows to be of no use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from ..errors import ModelError
from .model_names import one_line, resolved


def preflight(role: str, model: Any, loading: Mapping[str, Any]) -> None:
    """Refuse by its configuration alone what ``CausalHFLM`` would refuse.

    So that one model's error does not wait until the other is loaded.

    :raises ModelError: nothing there can be loaded, or it is no causal LM.
    """
    if not isinstance(model, str):
        return
    names = ("revision", "subfolder", "trust_remote_code", "gguf_file")
    given = {name: loading[name] for name in names if name in loading}
    with one_line(role, model, "no model there"):
        config = AutoConfig.from_pretrained(resolved(role, model), **given)
    refuse_others(role, model, config, loading.get("backend", "default"))


def refuse_others(role: str, name: str, config: Any, backend: str) -> None:
    """Raise :class:`ModelError` for what is no causal language model.

    Code that a repository brings along is believed; the probe looks at what it does.
    """
    kind = getattr(config, "model_type", "")
    if getattr(config, "is_encoder_decoder", False) or backend == "seq2seq":
        what = "an encoder-decoder model"
    elif getattr(config, "auto_map", None):
        return
    elif type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        what = "no causal language model"
    elif kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not _is_decoder(config):
        what = "an encoder"
    else:
        return
    raise ModelError(
        f"{role}={name!r} is {what} ({kind or backend}): expected a decoder-only one\n"
        "both models must continue one text token by token"
    )


def _is_decoder(config: Any) -> bool:
    # encoders whose configuration can make decoders of them; xlm calls it causal
    return any(getattr(config, name, False) for name in ("is_decoder", "causal"))
