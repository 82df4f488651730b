"""How many parameters a model uses for one token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .calling import bare

# what configurations call the experts there are, and those a token takes
_HELD = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_TAKEN = ("num_experts_per_tok", "moe_topk", "moe_k")


def active_parameters(model: Any) -> int:
    """Count the parameters one token meets; tied ones once, packed ones unpacked.

    Of a mixture of experts only the routed share of the experts counts, where the
    configuration says how many of them a token takes; else all do.
    """
    config = model.config.get_text_config()
    held, taken = _first(config, _HELD), _first(config, _TAKEN)
    total = experts = 0
    for name, shape in _shapes(model):
        size = _product(shape)
        total += size
        if ".experts." in name or (len(shape) == 3 and shape[0] == held):
            experts += size
    if held and taken:
        return total - experts + round(experts * taken / held)
    return total


def _shapes(model: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield every parameter's name and shape, each tensor once."""
    seen: set[int] = set()
    # a tied weight that is offloaded is a parameter of its own, without storage
    tied = getattr(bare(model), "all_tied_weights_keys", None) or {}
    for path, module in model.named_modules():
        packed = _packed_shape(module)
        if packed is not None:
            yield f"{path}.weight", packed
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen or (packed is not None and name == "weight"):
                continue
            if parameter.is_meta and f"{path}.{name}" in tied:
                continue
            seen.add(id(parameter))
            yield f"{path}.{name}", tuple(parameter.shape)


def _packed_shape(module: Any) -> tuple[int, int] | None:
    """Return the shape of a quantised linear layer, whose weight looks smaller."""
    out, width = (getattr(module, n, None) for n in ("out_features", "in_features"))
    if not (isinstance(out, int) and isinstance(width, int)) or any(module.children()):
        return None
    shape = (out, width)
    weight = getattr(module, "weight", None)
    if weight is not None and weight.numel() == _product(shape):
        return None
    return shape


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _first(config: Any, names: tuple[str, ...]) -> int | None:
    found = (getattr(config, name, None) for name in names)
    return next((value for value in found if isinstance(value, int) and value), None)
