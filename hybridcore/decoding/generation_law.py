"""The law of a step as transformers' ``generate`` would have it.

The model's own generation_config is merged with the request's arguments and turned
into transformers' processors and warpers, which are then applied at the right
position inside a block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel
from transformers.generation import logits_process

from ..errors import RequestError
from ..models.placement import execution_device
from .request import Prefix, StepLaw

# what these give depends on the scores alone, so rows can share a call
_PREFIX_FREE = (
    logits_process.TemperatureLogitsWarper,
    logits_process.TopKLogitsWarper,
    logits_process.TopPLogitsWarper,
    logits_process.MinPLogitsWarper,
    logits_process.TypicalLogitsWarper,
    logits_process.EpsilonLogitsWarper,
    logits_process.EtaLogitsWarper,
    logits_process.SuppressTokensLogitsProcessor,
    logits_process.LogitNormalization,
    logits_process.InfNanRemoveLogitsProcessor,
)


class ProcessedLaw:
    """A model's processors, and whether its mode is greedy."""

    def __init__(self, processors: LogitsProcessorList, do_sample: bool) -> None:
        self._processors = processors
        self.greedy = not do_sample
        self.prefix_free = all(isinstance(p, _PREFIX_FREE) for p in processors)

    def scores(self, prefix: Prefix, logits: Tensor) -> Tensor:
        """Return the processed logits ``[N, V]``; see :class:`StepLaw`."""
        if not self._processors:
            return logits
        if self.prefix_free:
            unread = torch.zeros(len(logits), 1, dtype=torch.long, device=logits.device)
            shared: Tensor = self._processors(unread, logits.clone())
            return shared
        rows = []
        for i in range(len(logits)):
            ids = torch.tensor([list(prefix(i))], device=logits.device)
            rows.append(self._processors(ids, logits[i : i + 1].clone()))
        return torch.cat(rows)


class GenerationLaws:
    """Makes the laws of one model's requests; those that can be are shared.

    It is made for one call: the model's generation_config may change between two.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._device = execution_device(model)
        self._shared: dict[str, ProcessedLaw] = {}

    def law(
        self, kwargs: Mapping[str, Any], prompt_length: int, max_new_tokens: int
    ) -> StepLaw:
        """Return the law of a request.

        :param kwargs: generation arguments as lm_eval's HFLM hands them to
            ``generate``, without stop strings and lengths.
        :param prompt_length: tokens of the prompt; processors count from it.
        :param max_new_tokens: budget; with the prompt, the maximal length.
        :raises RequestError: an argument is unknown to ``generate``, or asks for
            more than greedy search or sampling.
        """
        name = repr(sorted(kwargs.items()))
        if name in self._shared:
            return self._shared[name]
        law = self._build(kwargs, prompt_length, max_new_tokens)
        if law.prefix_free:
            self._shared[name] = law
        return law

    def _build(
        self, kwargs: Mapping[str, Any], prompt_length: int, max_new_tokens: int
    ) -> ProcessedLaw:
        config = self._config(kwargs, prompt_length + max_new_tokens)
        try:
            processors = self._model._get_logits_processor(
                config, input_ids_seq_length=prompt_length, device=self._device
            )
        except (TypeError, ValueError) as error:
            raise _refusal(kwargs, error) from None
        return ProcessedLaw(processors, bool(config.do_sample))

    def _config(self, kwargs: Mapping[str, Any], max_length: int) -> GenerationConfig:
        arguments = _as_hflm(kwargs)
        try:
            config, unknown = self._model._prepare_generation_config(
                None, **arguments, max_length=max_length
            )
        except (TypeError, ValueError) as error:
            raise _refusal(arguments, error) from None
        if unknown:
            raise RequestError(
                f"unknown generation arguments {sorted(unknown)!r}\n"
                "expected those of transformers' GenerationConfig, or until, "
                "max_gen_toks, do_sample, temperature of lm_eval"
            )
        self._refuse_other_modes(config)
        self._model._prepare_special_tokens(config, True, device=self._device)
        return config

    def _refuse_other_modes(self, config: GenerationConfig) -> None:
        mode = config.get_generation_mode().value
        if mode not in ("greedy_search", "sample"):
            raise RequestError(
                f"generation mode {mode!r}: expected greedy search or sampling\n"
                "leave out num_beams, penalty_alpha and the like"
            )
        if config.guidance_scale not in (None, 1, 1.0):
            raise RequestError(
                f"guidance_scale={config.guidance_scale!r}: expected none\n"
                "classifier-free guidance runs the model outside the loop"
            )
        if (config.num_return_sequences or 1) > 1:
            raise RequestError(
                f"num_return_sequences={config.num_return_sequences!r}: expected 1\n"
                "ask for repeats in the task"
            )
        if config.do_sample and config.temperature == 0.0:
            raise RequestError(
                "do_sample=True with temperature=0.0: expected a temperature above 0\n"
                "leave out do_sample for greedy decoding"
            )


def _as_hflm(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Treat temperature and do_sample as lm_eval's HFLM does."""
    arguments = dict(kwargs)
    temperature = arguments.setdefault("temperature", 0.0)
    if temperature == 0.0 and arguments.get("do_sample") is None:
        arguments["do_sample"] = False
    if arguments.get("do_sample") is False and temperature == 0.0:
        del arguments["temperature"]
    return arguments


def _refusal(arguments: Mapping[str, Any], error: Exception) -> RequestError:
    return RequestError(f"generation arguments {dict(arguments)!r}: {error}")
