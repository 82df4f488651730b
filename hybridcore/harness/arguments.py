"""The model arguments of HybridLM, in one place.

=====================  ===============================================================
``slm``, ``llm``       the two models: hub ids, folders, ``demo-slm``/``demo-llm``, or
                       loaded models. Synonyms: ``slm_model_id``, ``llm_model_id``,
                       ``pretrained`` (the LLM). Without need for an SLM it may miss.
``strategy``           a name, ``distribution:name``, or an instance [uncertainty]
*option*               any option that the strategy declares (``threshold``, ...)
``scoring``            ``llm``: log p, as lm_eval's HFLM; ``strategy``: the log of the
                       law that the strategy induces [llm]
``trace``              a ``.jsonl`` file that gets one line for each request
``seed``               of sampling [the torch seed, which lm_eval sets by ``--seed``]
``adaptive``           whether blocks are as long as pays, by measured costs, for
                       lossless strategies that hold their drafts [false]
``pack``               whether linear layers are packed for the CPU, where that is
                       faster [true for models loaded here, false for loaded ones]
``cuda_graphs``        whether short reads are recorded as CUDA graphs, for models on
                       one GPU [true]
``compile``            whether generation runs compiled code: on a CPU whole steps,
                       elsewhere decoder layers [false]
``config``             a TOML file with more of these: see :mod:`.config_file`
``calibration``        a file of ``hybridlm calibrate``: strategy and threshold
``dtype``              [float16, on a CPU float32]
``device``             [cuda, where there is none the CPU]
``batch_size``         rows in flight, or ``auto`` [1]
*HFLM argument*        everything else that lm_eval's ``HFLM`` takes, for both models
*loading argument*     what ``from_pretrained`` takes: :data:`~.argument_names.LOADING`
``slm_``\\ *x*          *x* for the small model alone
``llm_``\\ *x*          *x* for the large model alone
=====================  ===============================================================

Arguments that speak of one repository or of one model's placement are the LLM's
(:data:`~.argument_names.LLM_ONLY`); the SLM has its own as ``slm_``\\ *x*.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from transformers import PreTrainedModel

from ..discovery import create, load_class
from ..errors import ArgumentError
from ..options import option_fields
from ..strategy import Strategy
from .argument_names import (
    HFLM_ARGUMENTS,
    LENIENT,
    OURS,
    known_names,
    split_loading,
)
from .argument_values import switch
from .given import flat
from .placement import fell_back, placed
from .processes import warn

logger = logging.getLogger(__name__)

Model: TypeAlias = str | PreTrainedModel
Scoring = Literal["llm", "strategy"]
DEFAULT_STRATEGY = "uncertainty"


@dataclass(frozen=True)
class Arguments:
    """What the user asked for, checked and sorted by who reads it.

    ``strategy_name`` is the name as given, or the class of an instance.
    ``slm_loading`` and ``llm_loading`` are arguments of ``HFLM``, ``pretrained``
    left out; ``seed`` is None where torch's seed decides, ``pack`` where it depends on
    the model.
    """

    slm: Model | None
    llm: Model
    strategy: Strategy
    strategy_name: str
    scoring: Scoring = "llm"
    trace: str | None = None
    seed: int | None = None
    adaptive: bool = False
    pack: bool | None = None
    cuda_graphs: bool = True
    compiles: bool = False
    slm_loading: Mapping[str, Any] = field(default_factory=dict)
    llm_loading: Mapping[str, Any] = field(default_factory=dict)


def parse(given: Mapping[str, Any]) -> Arguments:
    """Sort model arguments into what each part reads.

    :raises ArgumentError: one is missing, unknown, contradicted or out of range.
    :raises StrategyError: the strategy cannot be had.
    """
    named = flat(given)
    chosen = named.pop("strategy", DEFAULT_STRATEGY)
    options, named = _split_options(chosen, named)
    strategy = create(chosen, options)
    ours = {name: named.pop(name) for name in OURS if name in named}
    slm, llm = _pair(ours, strategy)
    loading = split_loading(named, known_names(strategy.options()))
    _warn_of_fallback({"slm": slm, "llm": llm}, loading)
    return Arguments(
        slm=slm,
        llm=llm,
        strategy=strategy,
        strategy_name=name_of(chosen),
        scoring=scoring_of(ours.get("scoring")),
        trace=None if ours.get("trace") is None else str(ours["trace"]),
        seed=_seed(ours.get("seed")),
        adaptive=switch("adaptive", ours.get("adaptive", False)),
        pack=None if ours.get("pack") is None else switch("pack", ours["pack"]),
        compiles=switch("compile", ours.get("compile", False)),
        cuda_graphs=switch("cuda_graphs", ours.get("cuda_graphs", True)),
        slm_loading=_placed("slm", loading["slm"], named),
        llm_loading=_placed("llm", loading["llm"], named),
    )


def _placed(
    role: str, loading: Mapping[str, Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        return placed(loading)
    except ArgumentError as error:
        own = f"{role}_{error}"
        # it was said of this model alone
        if own.partition("=")[0] in named:
            raise ArgumentError(own) from None
        raise


def _split_options(
    strategy: str | Strategy, named: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    if not isinstance(strategy, (str, Strategy)):
        raise ArgumentError(
            f"strategy={strategy!r}: expected a name or a Strategy instance"
        )
    kind = load_class(strategy) if isinstance(strategy, str) else type(strategy)
    declared = option_fields(kind)
    options = {name: value for name, value in named.items() if name in declared}
    # ``seed`` and the like may be ours as well: then both get it
    both = (*OURS, *HFLM_ARGUMENTS)
    rest = {n: v for n, v in named.items() if n not in declared or n in both}
    for name in LENIENT:
        if name in rest:
            warn(
                logger,
                "%s=%r ignored: strategy %s has no such option",
                name,
                rest.pop(name),
                name_of(strategy),
            )
    if isinstance(strategy, Strategy):
        options = {name: value for name, value in options.items() if name not in both}
    return options, rest


def _warn_of_fallback(
    models: Mapping[str, Any], loading: Mapping[str, Mapping[str, Any]]
) -> None:
    # a loaded model is where it is
    if any(isinstance(m, str) and fell_back(loading[r]) for r, m in models.items()):
        warn(
            logger,
            "device cuda is not available: running on the CPU, in float32 where the "
            "dtype was float16",
        )


def _pair(ours: Mapping[str, Any], strategy: Strategy) -> tuple[Model | None, Model]:
    slm, llm = ours.get("slm"), ours.get("llm")
    if llm is None:
        raise ArgumentError(
            "llm is missing: expected the large model\n"
            "add llm=<hub id or folder> to the model arguments"
        )
    if slm is None and "slm" in strategy.requires:
        raise missing_slm(strategy)
    return _model("slm", slm), _model("llm", llm)


def name_of(strategy: str | Strategy) -> str:
    """Return a strategy's name, or the class of an instance."""
    return strategy if isinstance(strategy, str) else type(strategy).__name__


def why_not_adaptive(strategy: Strategy) -> str:
    """Return why the blocks of a strategy must not be cut short."""
    name = type(strategy).__name__
    if not strategy.holds():
        return f"strategy {name} has no blocks of drafts to shorten"
    return f"strategy {name} is not lossless, so its texts depend on block lengths"


def missing_slm(strategy: Strategy) -> ArgumentError:
    """Return the error of a strategy that has no small model to read."""
    return ArgumentError(
        f"slm is missing: strategy {type(strategy).__name__} reads the small model\n"
        "add slm=<hub id or folder> to the model arguments"
    )


def _model(name: str, value: Any) -> Any:
    if value is None or isinstance(value, torch.nn.Module):
        return value
    if isinstance(value, (bool, list, dict)) or value == "":
        raise ArgumentError(
            f"{name}={value!r}: expected a hub id, a folder or a loaded model"
        )
    return str(value)


def scoring_of(value: Any) -> Scoring:
    """Check a way of scoring; None is the default."""
    if value in (None, "llm"):
        return "llm"
    if value == "strategy":
        return "strategy"
    raise ArgumentError(f"scoring={value!r}: expected 'llm' or 'strategy'")


def _seed(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ArgumentError(f"seed={value!r}: expected a whole number")
