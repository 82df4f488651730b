"""A router with a trained head: ask the LLM where it would choose another token."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from hybridcore import Route, Step, Strategy, hookimpl, option
from hybridcore.signals import least_confidence

BEST = 10  # log-probabilities that the head sees beside the hidden state


class RouterHead(Strategy):
    """Ask the LLM where a head expects it to differ from the SLM."""

    requires = frozenset({"slm", "slm_hidden"})

    head: str = option("", help="file of train(); without one, least confidence")
    threshold: float = option(
        0.1, minimum=-1.0, maximum=1.0, unit="probability", help="of another token"
    )

    @hookimpl
    def route_token(self, step: Step) -> Route:
        if not self.head:
            return Route.ask_above(least_confidence(step.logits), self.threshold)
        seen = features(step.hidden, step.logits)
        head = {name: part.to(seen.device) for name, part in read(self.head).items()}
        differs = (seen @ head["weight"] + head["bias"]).sigmoid()
        return Route.ask_above(differs, self.threshold)


def features(hidden: Tensor, logits: Tensor) -> Tensor:
    """Return ``[N, D + 10]`` of ``hidden [N, D]`` and ``logits [N, V]``."""
    best = logits.float().log_softmax(-1).topk(BEST).values
    return torch.cat([hidden.float(), best], dim=-1)


@lru_cache
def read(file: str) -> dict[str, Tensor]:
    """Read a head: ``weight [D + 10]`` and ``bias []``."""
    return load_file(file)


@torch.inference_mode()
def examples(
    slm: Any, llm: Any, tokens: Sequence[int], start: int
) -> tuple[Tensor, Tensor]:
    """Return features of the positions from ``start`` on, and where the models differ.

    :param slm, llm: models of transformers that share a tokenizer.
    """
    ids = torch.tensor([tokens])
    small = slm(ids.to(slm.device), output_hidden_states=True)
    small_best = small.logits[0, start:].argmax(-1).cpu()
    large_best = llm(ids.to(llm.device)).logits[0, start:].argmax(-1).cpu()
    seen = features(small.hidden_states[-1][0, start:], small.logits[0, start:])
    return seen.cpu(), small_best != large_best


def train(
    slm: Any, llm: Any, texts: Iterable[tuple[Sequence[int], int]], file: str
) -> None:
    """Fit a head on texts, each given as its tokens and a start, and write it."""
    pairs = [examples(slm, llm, tokens, start) for tokens, start in texts]
    seen, differs = (torch.cat(part).numpy() for part in zip(*pairs, strict=True))
    fitted = LogisticRegression(max_iter=1000).fit(seen, differs)
    weight, bias = fitted.coef_[0], fitted.intercept_[0]
    head = {"weight": torch.tensor(weight), "bias": torch.tensor(bias)}
    save_file({name: part.float() for name, part in head.items()}, file)
