"""Tiny random models of many architectures: for tests where a table will not do.

The suite itself does not use them; HybridLM's tests do, and authors' tests may.

Weights are drawn wide, so that logits are far from flat and a wrong key or position
shows in the first digits. Sliding windows are eight tokens, shorter than any test.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

_SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_ALTERNATING = {
    "head_dim": 8,
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
_GPT: dict[str, Any] = {
    "vocab_size": 64,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 256,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_NEOX = {k: v for k, v in _SIZES.items() if k != "num_key_value_heads"}
_LATENT = {
    "num_key_value_heads": 4,
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "n_group": 1,
    "topk_group": 1,
    "n_routed_experts": 4,
    "first_k_dense_replace": 1,
}

# name -> configuration class and what it needs
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", _SIZES),
    "qwen2": ("Qwen2Config", _SIZES),
    "qwen3": ("Qwen3Config", _SIZES | {"head_dim": 8}),
    "mistral": ("MistralConfig", _SIZES | {"sliding_window": 8}),
    "gemma2": ("Gemma2Config", _SIZES | _ALTERNATING),
    "gemma3": ("Gemma3TextConfig", _SIZES | _ALTERNATING),
    "phi3": ("Phi3Config", _SIZES),
    "olmo2": ("Olmo2Config", _SIZES),
    "gpt2": ("GPT2Config", _GPT),
    "gpt_neox": ("GPTNeoXConfig", _NEOX),
    "opt": (
        "OPTConfig",
        _NEOX | {"ffn_dim": 48, "word_embed_proj_dim": 32, "init_std": 0.3},
    ),
    "qwen3_moe": (
        "Qwen3MoeConfig",
        _SIZES | _EXPERTS | {"head_dim": 8, "num_experts": 4},
    ),
    "deepseek_v3": ("DeepseekV3Config", _SIZES | _EXPERTS | _LATENT),
    "granite": ("GraniteConfig", _SIZES),
    "smollm3": ("SmolLM3Config", _SIZES),
    "gpt_oss": (
        "GptOssConfig",
        _SIZES | _ALTERNATING | {"num_experts_per_tok": 2, "num_local_experts": 4},
    ),
    "mixtral": (
        "MixtralConfig",
        _SIZES
        | {"sliding_window": None}
        | {"num_experts_per_tok": 2, "num_local_experts": 4},
    ),
    "llama4": (
        "Llama4TextConfig",
        _SIZES
        | {"head_dim": 8, "attention_chunk_size": 8, "intermediate_size_mlp": 48}
        | {"num_experts_per_tok": 1, "num_local_experts": 4}
        | {"layer_types": ["chunked_attention", "full_attention", "chunked_attention"]},
    ),
    # Phi-4's rotary embedding, which changes beyond 24 tokens
    "phi3_longrope": (
        "Phi3Config",
        _SIZES
        | {"original_max_position_embeddings": 24}
        | {
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 1e4,
                "factor": 10.0,
                "short_factor": [1.0, 1.0, 1.0, 1.0],
                "long_factor": [1.0, 2.0, 3.0, 4.0],
                "original_max_position_embeddings": 24,
            }
        },
    ),
    # no slot cache fits these
    "lfm2": (
        "Lfm2Config",
        _SIZES | {"layer_types": ["conv", "full_attention", "conv"]},
    ),
    "bloom": ("BloomConfig", _NEOX | {"n_layer": 2, "n_head": 4}),
    "mamba": ("MambaConfig", _NEOX | {"state_size": 4}),
    "gpt_neo": (
        "GPTNeoConfig",
        {k: v for k, v in _NEOX.items() if not k.startswith("num_")}
        | {"num_layers": 2, "num_heads": 4, "window_size": 8}
        | {"attention_types": [[["global", "local"], 1]]},
    ),
}


def tiny_model(kind: str, seed: int = 0, **overrides: Any) -> PreTrainedModel:
    """Return a random float32 causal LM of the architecture, on the CPU.

    :param kind: a key of :data:`TINY`.
    :param overrides: fields of its configuration.
    """
    name, fields = TINY[kind]
    config = getattr(transformers, name)(**{**fields, **overrides})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config)
    return model.float().eval()


def perturbed(model: PreTrainedModel, amount: float, seed: int = 1) -> PreTrainedModel:
    """Return a copy whose weights are off by ``amount`` standard deviations.

    A cheap SLM for ``model``: it agrees with it often, but not always.
    """
    other = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.numel() > 1:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter += noise * amount * parameter.std()
    return other
