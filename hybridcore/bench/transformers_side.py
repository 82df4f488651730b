"""The peers in this process: lm_eval's HFLM, and with it transformers' generate."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from transformers import PreTrainedModel

from ..harness.model_names import resolved
from .side import LocalSide
from .workload import Workload


class AssistedHFLM(HFLM):
    """HFLM whose ``generate`` may get an assistant; else it is HFLM.

    Attributes:
        assistant: the model that drafts, or None.
    """

    assistant: PreTrainedModel | None = None

    def _model_generate(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.assistant is not None:
            kwargs["assistant_model"] = self.assistant
        return super()._model_generate(*args, **kwargs)


class TransformersSide(LocalSide):
    """HFLM at one batch size.

    :param lm: shared by all sides on the same model.
    :param assistant: drafts in ``generate``; transformers allows it at batch 1 only.
    :param drafts: tokens it drafts at a time; None leaves its own defaults.
    """

    def __init__(
        self,
        lm: AssistedHFLM,
        batch_size: int,
        name: str = "HFLM",
        assistant: PreTrainedModel | None = None,
        drafts: int | None = None,
    ) -> None:
        self.lm = lm
        self.batch_size = batch_size
        self.name = name
        self.device = torch.device(lm.device)
        self._assistant = assistant
        self._drafts = drafts
        self._settings: Any = copy.deepcopy(
            None if assistant is None else assistant.generation_config
        )

    def models(self) -> Mapping[str, torch.nn.Module]:
        """Return the LLM, and the assistant as the SLM."""
        own: dict[str, torch.nn.Module] = {"llm": self.lm.model}
        return own if self._assistant is None else {**own, "slm": self._assistant}

    def forget(self, workload: Workload) -> None:
        """Set what other sides on the same model may have changed."""
        self.lm.batch_size_per_gpu = self.batch_size
        self.lm.assistant = self._assistant
        if self._assistant is None:
            return
        # generate keeps what it has learnt about the assistant in its configuration
        config = copy.deepcopy(self._settings)
        self._assistant.generation_config = config
        if self._drafts is not None:
            config.num_assistant_tokens = self._drafts
            config.num_assistant_tokens_schedule = "constant"
            config.assistant_confidence_threshold = 0.0

    def answer(self, workload: Workload) -> list[Any]:
        """Ask HFLM as lm_eval does."""
        method = getattr(self.lm, workload.kind)
        answers: list[Any] = method(list(workload.requests), disable_tqdm=True)
        return answers


def load_hflm(model: str, device: str, dtype: str) -> AssistedHFLM:
    """Load a model by hub id, folder or ``demo-llm``, as ``lm_eval --model hf``."""
    name = resolved("llm", model)
    return AssistedHFLM(pretrained=name, device=device, dtype=dtype, batch_size=1)
