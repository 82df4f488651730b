"""One call of a model on the slots' cache, for whatever a view says is read."""

from __future__ import annotations

from torch import Tensor

from .calling import ModelCall
from .masking import Masking
from .slot_cache import SlotCache
from .slot_view import SlotView
from .step_view import StepView


def cached_call(
    call: ModelCall,
    cache: SlotCache,
    masking: Masking,
    view: SlotView | StepView,
    wanted: int,
) -> tuple[Tensor, Tensor | None]:
    """Return logits ``[B, wanted, V]`` and hidden states ``[B, wanted, D]``, or None.

    :param cache: aimed at the view.
    """
    with masking.over(view) as masks:
        return call(
            view.ids,
            wanted,
            position_ids=view.positions,
            attention_mask=masks,
            past_key_values=cache,
            use_cache=True,
        )
