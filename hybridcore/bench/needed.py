"""What a workload asks of a model at least: operations, and bytes of weights.

Two operations for each parameter and token, four for each key, query and channel in
attention, and the head only at positions whose logits are needed. Element-wise work
and the reading of keys are left out, so the limit is one that nothing reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from ..harness.generation import prompt_of
from ..models.parameters import active_parameters
from .trie_minimum import TrieMinimum, trie_minimum
from .workload import Workload


@dataclass(frozen=True)
class Cost:
    """What one token costs in a model.

    Attributes:
        body: parameters met by every token, without embedding and head.
        head: parameters of the head.
        itemsize: bytes of a parameter.
        channels: query channels of a layer, all heads together.
        windows: for each layer how far back it attends; None is everything.
    """

    body: int
    head: int
    itemsize: int
    channels: int
    windows: Sequence[int | None]

    def operations(self, trie: TrieMinimum) -> int:
        """Return the operations that the nodes of ``trie`` need."""
        keys = {window: trie.keys(window) for window in set(self.windows)}
        attention = 4 * self.channels * sum(keys[window] for window in self.windows)
        return 2 * (self.body * trie.tokens + self.head * trie.scored) + attention

    @property
    def token_operations(self) -> int:
        """Operations of one emitted token, attention left out."""
        return 2 * (self.body + self.head)

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that a step of one token reads."""
        return self.itemsize * (self.body + self.head)


def cost_of(model: Any) -> Cost:
    """Read the cost of a token off a transformers model."""
    config = model.config.get_text_config()
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings().weight
    apart = 0 if head is embedding else head.numel()
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Cost(
        body=active_parameters(model) - embedding.numel() - apart,
        head=head.numel(),
        itemsize=head.dtype.itemsize,
        channels=heads * size,
        windows=_windows(config),
    )


def scoring_trie(lm: Any, workload: Workload) -> TrieMinimum:
    """Return the trie of what ``lm``, an ``HFLM``, reads to score ``workload``."""
    parts: list[tuple[list[int], list[int]]] = []
    for request in workload.requests:
        if workload.kind == "loglikelihood":
            parts.append(_pair(lm, *request.args))
        else:
            parts += _windows_of(lm, request.args[0])
    longest = lm.max_length + 1
    return trie_minimum(
        ((context + gold)[-longest:][:-1], len(gold)) for context, gold in parts
    )


def prompt_trie(lm: Any, workload: Workload) -> TrieMinimum:
    """Return the trie of the prompts of a generation workload."""
    prompts = (prompt_of(lm, *request.args) for request in workload.requests)
    return trie_minimum((prompt.tokens, 1) for prompt in prompts)


def _pair(lm: Any, context: str, continuation: str) -> tuple[list[int], list[int]]:
    if context:
        before, gold = lm._encode_pair(context, continuation)
        return list(before), list(gold)
    gold = lm.tok_encode(continuation, add_special_tokens=False)
    if gold and gold[0] == lm.prefix_token_id:
        return [gold[0]], list(gold[1:])
    return [lm.prefix_token_id], list(gold)


def _windows_of(lm: Any, text: str) -> list[tuple[list[int], list[int]]]:
    windows = get_rolling_token_windows(
        token_list=lm.tok_encode(text),
        prefix_token=lm.prefix_token_id,
        max_seq_len=lm.max_length,
        context_len=1,
    )
    return [make_disjoint_window(window) for window in windows]


def _windows(config: Any) -> list[int | None]:
    window = getattr(config, "sliding_window", None)
    if getattr(config, "use_sliding_window", True) is False:
        window = None
    kinds = getattr(config, "layer_types", None)
    if not kinds:
        return [window] * config.num_hidden_layers
    return [window if kind == "sliding_attention" else None for kind in kinds]
