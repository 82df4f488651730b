"""How many parameters a model uses for one token."""

from __future__ import annotations

from typing import Any


def active_parameters(model: Any) -> int:
    """Count the parameters one token meets; tied ones once.

    Of a mixture of experts only the routed share of the experts counts, where the
    configuration says how many of them a token takes; else all do.
    """
    total = experts = 0
    for name, parameter in model.named_parameters():
        total += parameter.numel()
        if ".experts." in name:
            experts += parameter.numel()
    return total - experts + round(experts * _routed_share(model))


def _routed_share(model: Any) -> float:
    config = model.config.get_text_config()
    taken = getattr(config, "num_experts_per_tok", None)
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    held = next((getattr(config, n) for n in names if getattr(config, n, None)), None)
    return taken / held if taken and held else 1.0
