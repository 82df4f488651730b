"""What a run says about itself: ``config.hybrid`` of lm_eval's results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval.models.huggingface import HFLM

from ..models.parameters import active_parameters

if TYPE_CHECKING:
    from .hybrid_lm import HybridLM
    from .loading import CausalHFLM


def model_info(lm: HybridLM) -> dict[str, Any]:
    """Return what ``HFLM`` tells of the LLM, and ``hybrid``: set-up and counts."""
    return {**_of_llm(lm), "hybrid": hybrid_info(lm)}


def hybrid_info(lm: HybridLM) -> dict[str, Any]:
    """Return set-up and counts; everything in it can be written as JSON."""
    slm = lm.pair.loaded_slm if lm.runs_slm or lm.scores_with_slm else None
    models = {"slm": None if slm is None else _model(slm), "llm": _model(lm.pair.llm)}
    for role, runner in lm.pair.runners().items():
        if (model := models[role]) is not None:
            model |= {
                "runner": runner.kind,
                "runner_reason": _reason(runner),
                "recorded_steps": getattr(runner, "recorded", 0),
            }
    for side, readers in lm.recorder.readers.items():
        if (model := models[side]) is not None and readers:
            model["scoring_readers"] = dict(readers)
    strategy = type(lm.strategy)
    return {
        "strategy": lm.strategy_name,
        "options": {name: _plain(v) for name, v in lm.strategy.options().items()},
        "lossless": strategy.lossless,
        "scoring": lm.scoring,
        "adaptive": lm.adaptive and lm.strategy.adaptable(),
        "batch_size": lm.batch_size,
        "seed": lm.seed,
        "processes": lm.world_size,
        **models,
        **lm.counts().as_dict(
            0 if slm is None else active_parameters(slm.model),
            active_parameters(lm.model),
        ),
    }


def _model(lm: CausalHFLM) -> dict[str, Any]:
    return {
        "model": lm.named,
        "revision": lm.revision,
        "dtype": str(getattr(lm.model, "dtype", "")).removeprefix("torch."),
        "device": str(lm.device),
        "active_parameters": active_parameters(lm.model),
        "window": lm.own_window,
        "packed_linears": lm.packed_linears,
    }


def _of_llm(lm: HybridLM) -> dict[str, Any]:
    """Ask the hub for the commit only where the model is one of the hub's."""
    if isinstance(lm.pretrained, str) and not Path(lm.pretrained).is_dir():
        return dict(HFLM.get_model_info(lm))
    model = lm.model
    counts = getattr(model, "num_parameters", None)
    return {
        "model_num_parameters": counts() if counts else -1,
        "model_dtype": getattr(model, "dtype", ""),
        "model_revision": lm.revision,
        "model_sha": "",
    }


def _reason(runner: Any) -> str:
    return str(getattr(runner, "reason", ""))


def _plain(value: Any) -> Any:
    return (
        value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
    )
