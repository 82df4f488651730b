"""Laws of short texts, computed from tables, and how far samples are from them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

Text = tuple[int, ...]


def text_law(table: Tensor, first: int, length: int) -> dict[Text, float]:
    """Return the probability of every text of ``length`` tokens behind ``first``.

    :param table: ``[V, V]`` the law behind each token.
    """
    rows = table.double().tolist()
    laws: dict[Text, float] = {}
    for text in itertools.product(range(len(rows)), repeat=length):
        probability = 1.0
        for before, token in zip((first, *text), text, strict=False):
            probability *= rows[before][token]
        laws[text] = probability
    return laws


def p_value(seen: Counter[Text], law: dict[Text, float]) -> float:
    """Return Pearson's chi-square test of counted texts against their law.

    Texts expected less than five times are taken together; one that is impossible
    but was seen makes it zero.
    """
    total = sum(seen.values())
    if any(law.get(text, 0.0) <= 0.0 for text in seen):
        return 0.0
    common = [text for text, p in law.items() if p * total >= 5]
    pairs = [(float(seen[text]), law[text] * total) for text in common]
    expected_rest = total - sum(expected for _, expected in pairs)
    if expected_rest > 1e-6 * total:
        pairs.append((total - sum(observed for observed, _ in pairs), expected_rest))
    statistic = sum((o - e) ** 2 / e for o, e in pairs)
    return chi_square_tail(statistic, len(pairs) - 1)


def chi_square_tail(statistic: float, freedom: int) -> float:
    """Return P(chi-square with ``freedom`` degrees > ``statistic``)."""
    if freedom < 1:
        return 1.0
    half = torch.tensor([freedom / 2, statistic / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))


def worst(seen: Counter[Text], law: dict[Text, float]) -> str:
    """Return, in words, the text whose count is farthest from what was expected."""
    total = sum(seen.values())

    def surprise(text: Text) -> float:
        expected = law.get(text, 0.0) * total
        return (seen[text] - expected) ** 2 / max(expected, 1.0)

    text = max({*law, *seen}, key=surprise)
    expected = law.get(text, 0.0) * total
    return f"{list(text)} {seen[text]} times of {total}, expected {expected:.1f}"


def counted(texts: Sequence[Sequence[int]]) -> Counter[Text]:
    """Count equal texts."""
    return Counter(tuple(text) for text in texts)
