"""Loads both models as lm_eval's ``HFLM`` loads one, with errors in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers
from lm_eval.models.huggingface import HFLM
from transformers import AutoConfig, PreTrainedModel

from ..errors import ModelError
from ..models.packing import pack
from .weights_digest import weights_digest

# quantisation switches that transformers 5 reads from a config object only
_BITSANDBYTES = ("load_in_4bit", "load_in_8bit", "bnb_4bit_", "llm_int8_")
_EXPECTED = (
    "expected a Hugging Face model id, or a folder with config.json, weights and "
    "tokenizer"
)
DEMO = ("demo-slm", "demo-llm")


class CausalHFLM(HFLM):
    """``HFLM`` that refuses, in one line, what is no decoder-only language model.

    :param role: ``"slm"`` or ``"llm"``, for messages.
    :param pretrained: hub id, folder, ``demo-slm``, ``demo-llm``, or a loaded model.
    :param loading: the other arguments of ``HFLM`` and of ``from_pretrained``.
    :param packs: whether linear layers are packed for the CPU where that is faster,
        when the model is first run; None: where it is loaded here.
    :raises ModelError: nothing there can be loaded, or it has an encoder.
    """

    def __init__(
        self,
        role: str,
        pretrained: str | PreTrainedModel,
        loading: Mapping[str, Any],
        packs: bool | None = None,
    ) -> None:
        self.role = role
        self.named = described(pretrained)
        arguments, self._quantization = _quantization(dict(loading))
        if isinstance(pretrained, str):
            pretrained = resolved(role, pretrained)
        super().__init__(pretrained=pretrained, **arguments)
        # a model that was loaded elsewhere may be wanted there as it is
        self._packs = isinstance(pretrained, str) if packs is None else packs
        self.packed_linears = 0

    @property
    def own_window(self) -> int:
        """Tokens that this model reads at once, whatever it is paired with."""
        return int(HFLM.max_length.fget(self))

    @cached_property
    def digest(self) -> str:
        """What is in this model's weights, in a few letters."""
        return weights_digest(self.model)

    def prepare(self) -> None:
        """Pack the linear layers, once, where that is wanted and pays.

        What runs the model calls it first; a model that is never run is left as it is.
        """
        if self._packs:
            self._packs = False
            _ = self.digest  # packed weights can no longer be read
            self.packed_linears = pack(self.model)

    def _get_config(self, *args: Any, **kwargs: Any) -> None:
        with one_line(self.role, self.named, "no model there"):
            super()._get_config(*args, **kwargs)

    def _get_backend(self, *args: Any, **kwargs: Any) -> None:
        super()._get_backend(*args, **kwargs)
        refuse_encoder(self.role, self.named, self.config, self.backend)

    def _create_tokenizer(self, *args: Any, **kwargs: Any) -> None:
        with one_line(self.role, self.named, "no tokenizer there"):
            super()._create_tokenizer(*args, **kwargs)

    def _create_model(self, *args: Any, **kwargs: Any) -> None:
        if self._quantization is not None:
            kwargs["quantization_config"] = self._quantization
        with one_line(self.role, self.named, "its weights cannot be loaded"):
            super()._create_model(*args, **kwargs)


def preflight(role: str, model: Any, loading: Mapping[str, Any]) -> None:
    """Refuse by its configuration alone what :class:`CausalHFLM` would refuse.

    So that one model's error does not wait until the other is loaded.

    :raises ModelError: nothing there can be loaded, or it has an encoder.
    """
    if not isinstance(model, str):
        return
    names = ("revision", "subfolder", "trust_remote_code", "gguf_file")
    given = {name: loading[name] for name in names if name in loading}
    with one_line(role, model, "no model there"):
        config = AutoConfig.from_pretrained(resolved(role, model), **given)
    refuse_encoder(role, model, config, loading.get("backend", "default"))


def refuse_encoder(role: str, name: str, config: Any, backend: str) -> None:
    """Raise :class:`ModelError` for an encoder-decoder model."""
    if getattr(config, "is_encoder_decoder", False) or backend == "seq2seq":
        raise ModelError(
            f"{role}={name!r} is an encoder-decoder model "
            f"({getattr(config, 'model_type', backend)}): expected a decoder-only one\n"
            "both models must continue one text token by token"
        )


@contextmanager
def one_line(role: str, name: str, what: str) -> Iterator[None]:
    """Turn whatever loading raises into one line that names the model."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"{role}={name!r}: {what}: "
            f"{reason[0] if reason else type(error).__name__}\n{_EXPECTED}"
        ) from error


def described(model: str | PreTrainedModel) -> str:
    """Return a model's name: as it was given, or of its class if it was loaded."""
    if isinstance(model, str):
        return model
    return str(getattr(model, "name_or_path", "") or type(model).__name__)


def resolved(role: str, name: str) -> str:
    """Return where to load a name from: a folder, or a hub id as it is.

    :raises ModelError: it is written as a path, and there is no such folder.
    """
    if name in DEMO:
        from ..demo import model_path

        return str(model_path(name))
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder)
    if name.startswith(("/", ".", "~")) or name.count("/") > 1 or folder.exists():
        raise ModelError(f"{role}={name!r}: no such folder\n{_EXPECTED}")
    return name


def _quantization(arguments: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Take quantisation out of the arguments: ``HFLM`` itself cannot pass it on."""
    config = arguments.pop("quantization_config", None)
    switches = {n: v for n, v in arguments.items() if n.startswith(_BITSANDBYTES)}
    rest = {n: v for n, v in arguments.items() if n not in switches}
    if config is None and any(switches.values()):
        dtype = switches.get("bnb_4bit_compute_dtype")
        if isinstance(dtype, str):
            switches["bnb_4bit_compute_dtype"] = getattr(torch, dtype)
        config = transformers.BitsAndBytesConfig(**switches)
    return rest, config
