"""Train the embedded pair from nothing: ``python -m hybridcore.demo.train``.

Both models see the same language and the same kind of batches; the small one is
weak because it is small. Each model takes one core, so the two may be trained side
by side: ``--models slm`` in one shell, ``--models llm`` in another.
"""

from __future__ import annotations

import argparse
import math
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from .batches import Batch, batches
from .tokenizer import train_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT = 2048
WARMUP = 100


@dataclass(frozen=True, slots=True)
class Recipe:
    """Size of a model, and how long and how fast it learns."""

    layers: int
    width: int
    inner: int
    heads: int
    steps: int
    rate: float


RECIPES = {
    "slm": Recipe(layers=2, width=64, inner=192, heads=4, steps=2500, rate=3e-3),
    "llm": Recipe(layers=6, width=192, inner=512, heads=6, steps=2800, rate=1.5e-3),
}


def build(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model of the recipe's size over the tokenizer's vocabulary."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def loss_of(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Weighted mean cross entropy of the next token, in nats."""
    mixed = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        logits = model(input_ids=batch.ids[:, :-1], use_cache=False).logits.float()
    gold, weights = batch.ids[:, 1:].flatten(), batch.weights[:, 1:].flatten()
    losses = functional.cross_entropy(logits.flatten(0, 1), gold, reduction="none")
    return (losses * weights).sum() / weights.sum()


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    if step < WARMUP:
        return recipe.rate * (step + 1) / WARMUP
    done = (step - WARMUP) / max(1, recipe.steps - WARMUP)
    return recipe.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def train(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, seed: int = 0
) -> LlamaForCausalLM:
    """A trained model, the same for the same seed on the same machine."""
    torch.manual_seed(seed)
    model = build(recipe, tokenizer)
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    source = batches(tokenizer, seed)
    began, seen, mean = time.monotonic(), 0, 0.0
    for step in range(recipe.steps):
        batch = next(source)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen += batch.ids.numel()
        mean = loss.item() if step == 0 else 0.97 * mean + 0.03 * loss.item()
        if step % 50 == 49:
            speed = seen / (time.monotonic() - began)
            print(
                f"step {step + 1}/{recipe.steps}  loss {mean:.4f}"
                f"  {seen / 1e6:.2f}M tokens  {speed:,.0f}/s",
                flush=True,
            )
    return model


def save(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Write a model folder in float16, replacing an old one only when complete."""
    fresh = folder.with_name(f".{folder.name}.new")
    model.half().save_pretrained(fresh)
    tokenizer.save_pretrained(fresh)
    if folder.exists():
        shutil.rmtree(folder)
    fresh.rename(folder)


def main() -> None:
    """Train the models that were asked for, one after the other."""
    parser = argparse.ArgumentParser(description="train the embedded pair")
    parser.add_argument("--models", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "models")
    parser.add_argument("--steps", type=int, help="instead of the recipe's number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tokenizer = train_tokenizer()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.models:
        recipe = RECIPES[name]
        if arguments.steps:
            recipe = replace(recipe, steps=arguments.steps)
        print(f"{name}: {recipe}", flush=True)
        save(train(recipe, tokenizer, arguments.seed), tokenizer, arguments.out / name)


if __name__ == "__main__":
    main()
