"""Loads both models as lm_eval's ``HFLM`` loads one, with errors in one line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
import transformers
from jinja2 import TemplateError
from lm_eval.models.huggingface import HFLM
from transformers import PreTrainedModel

from ..errors import ModelError, RequestError
from ..models.calling import vocab_width
from ..models.huge_pages import settle
from ..models.packing import pack
from ..models.placement import execution_device
from ..models.rms_norms import shorten
from .model_names import EXPECTED, described, first_line, one_line, resolved
from .preflight import refuse_others
from .weights_digest import weights_digest

_ARGUMENTS = "expected model arguments that go together, as --model hf takes them"
_TOKENIZER = "expected the hub id of a tokenizer, or a folder with one"
# quantisation switches that transformers 5 reads from a config object only
_BITSANDBYTES = ("load_in_4bit", "load_in_8bit", "bnb_4bit_", "llm_int8_")


class CausalHFLM(HFLM):
    """``HFLM`` that refuses, in one line, what is no causal language model.

    :param role: ``"slm"`` or ``"llm"``, for messages.
    :param pretrained: hub id, folder, ``demo-slm``, ``demo-llm``, or a loaded model.
    :param loading: the other arguments of ``HFLM`` and of ``from_pretrained``.
    :param packs: whether linear layers are packed for the CPU where that is faster,
        when the model is first run; None: where it is loaded here.
    :raises ModelError: nothing there can be loaded, or it is no causal LM.
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
        with one_line(role, self.named, "it cannot be loaded", _ARGUMENTS):
            super().__init__(pretrained=pretrained, **arguments)
        if not isinstance(pretrained, str):
            # the weights of an offloaded model lie nowhere
            self._device = execution_device(pretrained)
        self._check_prefix()
        # a model that was loaded elsewhere may be wanted there as it is
        wanted = isinstance(pretrained, str) if packs is None else packs
        # autocast knows nothing of other operators than torch's own
        self._packs = wanted and self.mixed_precision_dtype is None
        self.packed_linears = 0

    @property
    def own_window(self) -> int:
        """Tokens that this model reads at once, whatever it is paired with."""
        return int(HFLM.max_length.fget(self))

    @property
    def prefix_token_id(self) -> int:
        """What stands in front of a text that nothing stands in front of.

        :raises ModelError: the tokenizer has no token for that, and none was named.
        """
        prefix: int | None = HFLM.prefix_token_id.fget(self)
        if prefix is None:
            raise ModelError(
                f"{self.role}={self.named!r}: its tokenizer has neither a BOS nor an "
                "EOS token: expected one to begin a text with\n"
                "add prefix_token_id=<token id> to the model arguments"
            )
        return prefix

    @cached_property
    def digest(self) -> str:
        """What is in this model's weights, in a few letters."""
        return weights_digest(self.model)

    def prepare(self, compiles: bool = False) -> None:
        """Lay the weights as they are read fastest, once, where that is wanted.

        What runs the model calls it first; a model that is never run is left as it is.

        :param compiles: only in ways that torch's compiler reads.
        """
        if self._packs:
            self._packs = False
            _ = self.digest  # packed weights can no longer be read
            self.packed_linears = pack(self.model, compiles)
            shorten(self.model)
            settle(self.model)

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """Return the template that a name stands for, as ``HFLM`` does.

        :raises RequestError: the tokenizer has none of that name.
        """
        with self._template_in_one_line():
            found: str | None = super().chat_template(chat_template)
        return found

    def apply_chat_template(self, *args: Any, **kwargs: Any) -> str:
        """Write a conversation as the tokenizer's template has it, as ``HFLM`` does.

        :raises RequestError: the tokenizer has no template, or that one fails.
        """
        with self._template_in_one_line():
            text: str = super().apply_chat_template(*args, **kwargs)
        return text

    @contextmanager
    def _template_in_one_line(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TemplateError) as error:
            raise RequestError(
                f"{self.role}={self.named!r}: no chat template can be applied: "
                f"{first_line(error)}\nleave out --apply_chat_template, or name a "
                "tokenizer that has one: tokenizer=<hub id or folder>"
            ) from error

    def _check_prefix(self) -> None:
        width = vocab_width(self.model)
        prefix = HFLM.prefix_token_id.fget(self)
        if prefix is not None and prefix >= width:
            raise ModelError(
                f"{self.role}={self.named!r}: prefix_token_id={prefix}: expected less "
                f"than its vocabulary of {width}"
            )

    def _get_config(self, *args: Any, **kwargs: Any) -> None:
        with one_line(self.role, self.named, "no model there"):
            super()._get_config(*args, **kwargs)

    def _get_backend(self, *args: Any, **kwargs: Any) -> None:
        super()._get_backend(*args, **kwargs)
        refuse_others(self.role, self.named, self.config, self.backend)

    def _create_tokenizer(
        self, pretrained: Any, tokenizer: Any, *args: Any, **kwargs: Any
    ) -> None:
        named = isinstance(tokenizer, str)
        role, name = ("tokenizer", tokenizer) if named else (self.role, self.named)
        expected = _TOKENIZER if named else EXPECTED
        with one_line(role, name, "no tokenizer there", expected):
            super()._create_tokenizer(pretrained, tokenizer, *args, **kwargs)

    def _create_model(self, *args: Any, **kwargs: Any) -> None:
        if self._quantization is not None:
            kwargs["quantization_config"] = self._quantization
        expected = f"{EXPECTED}; and loading arguments that it takes"
        with one_line(self.role, self.named, "its weights cannot be loaded", expected):
            super()._create_model(*args, **kwargs)


def tokenizer_of(role: str, model: str, loading: Mapping[str, Any]) -> Any:
    """Load the tokenizer that :class:`CausalHFLM` would, and no weights.

    :raises ModelError: there is none.
    """
    bare = object.__new__(CausalHFLM)
    bare.role, bare.named = role, described(model)
    names = inspect.signature(HFLM._create_tokenizer).parameters
    given = {name: value for name, value in loading.items() if name in names}
    tokenizer = given.pop("tokenizer", None)
    bare._create_tokenizer(resolved(role, model), tokenizer, **given)
    return bare.tokenizer


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
