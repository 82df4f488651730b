"""Texts that the engine made beside those that it should have made."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..decoding.request import Answer
from .check import Failure
from .pair import TablePair

Prompts = Sequence[Sequence[int]]


def compare_texts(
    prompts: Prompts,
    answers: Sequence[Answer],
    expected: Sequence[tuple[int, ...]],
    setting: str,
) -> None:
    """Fail at the row whose text differs first, and show it up to there."""
    wrong = []
    for prompt, answer, text in zip(prompts, answers, expected, strict=True):
        if answer.tokens != text:
            wrong.append((_first_difference(answer.tokens, text), prompt, answer, text))
    if not wrong:
        return
    at, prompt, answer, text = min(wrong, key=lambda item: item[0])
    raise Failure(
        f"the LLM's text {list(text[: at + 1])}",
        f"{list(answer.tokens[: at + 1])}",
        f"prompt {list(prompt)}, temperature 0, {setting}",
    )


def similar_pair(size: int, agreeing: bool) -> TablePair:
    """Return a random pair; with ``agreeing``, drafts are right half of the time."""
    pair = TablePair.random(size, seed=size)
    return TablePair(pair.p + 0.6 * pair.q, pair.p) if agreeing else pair


def letters(tokens: Sequence[int]) -> str:
    """Return the text of tokens: the i-th letter for token i."""
    return "".join(chr(ord("a") + token) for token in tokens)


def until_token(text: tuple[int, ...], token: int) -> tuple[int, ...]:
    """Return the text up to and with the first ``token``."""
    return text[: text.index(token) + 1] if token in text else text


def until_letters(text: tuple[int, ...], stop: str) -> tuple[int, ...]:
    """Return the text up to and with the first ``stop``."""
    at = letters(text).find(stop)
    return text if at < 0 else text[: at + len(stop)]


def _first_difference(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def same_table(size: int) -> TablePair:
    """Return a pair whose two models are one."""
    table = torch.randn(size, size, generator=torch.Generator().manual_seed(3))
    return TablePair(table, table)
