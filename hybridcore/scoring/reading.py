"""Lets a model read passages: as a tree where it can, else as HFLM would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import batched, packed
from .page import Page
from .passage import Passage
from .request import ScoringModel


def read(
    model: ScoringModel,
    passages: Sequence[Passage],
    batch_size: int,
    hidden: bool = False,
) -> Iterator[Page]:
    """Yield pages that cover every passage once.

    :param batch_size: sequences in one forward, where they are not read as a tree.
    :param hidden: keep the last hidden states.
    """
    if model.tree is None:
        yield from _batched(model, passages, batch_size, hidden)
        return
    longest = model.tree.longest
    fit = [p for p in passages if longest is None or len(p.tokens) <= longest]
    if fit:
        model.readers["tree"] += len(fit)
        yield from packed.read(model.tree, fit, hidden)
    if len(fit) < len(passages):
        rest = [p for p in passages if longest is not None and len(p.tokens) > longest]
        yield from _batched(model, rest, batch_size, hidden)


def read_alike(
    models: Sequence[ScoringModel], passages: Sequence[Passage], batch_size: int
) -> Iterator[tuple[Page, ...]]:
    """Yield pages of the same passages by each of several models."""
    trees = [model.tree for model in models]
    longest = min((t.longest for t in trees if t and t.longest), default=None)
    if not all(trees) or (longest and any(len(p.tokens) > longest for p in passages)):
        pages = [_batched(model, passages, batch_size) for model in models]
        yield from zip(*pages, strict=True)
        return
    for model in models:
        model.readers["tree"] += len(passages)
    # a tree is one walk at a time: two models that are one share its pages
    kinds = list(dict.fromkeys(tree for tree in trees if tree))
    budget = min(packed.budget_of(tree) for tree in kinds)
    walks = [packed.read(tree, passages, budget=budget) for tree in kinds]
    places = [kinds.index(tree) for tree in trees if tree]
    for found in zip(*walks, strict=True):
        yield tuple(found[place] for place in places)


def _batched(
    model: ScoringModel,
    passages: Sequence[Passage],
    batch_size: int,
    hidden: bool = False,
) -> Iterator[Page]:
    model.readers["batched"] += len(passages)
    return batched.read(model, passages, batch_size, hidden)
