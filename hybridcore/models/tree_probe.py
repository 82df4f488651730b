"""Chooses how a model reads a tree, if it can, by what it computes.

A small tree is read in several forwards, with rows kept and dropped, and must give
the logits that reading every sequence alone gives.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .probe import Mismatch, Way, allowed, long_trial_length, short_windows, ways
from .recompute import RecomputeRunner
from .runner import Feed
from .tree_reader import TreeReader
from .tree_view import Segment
from .trial import Draw, errors

_LOG = logging.getLogger(__name__)


def choose_tree_reader(
    model: Any, autocast: torch.dtype | None = None
) -> TreeReader | None:
    """Return the fastest tree reader that is right for ``model``, None where none is.

    Why none is goes to this module's logger, at level INFO.
    """
    reasons = []
    for way in ways(model):
        try:
            _try(model, way, autocast)
        except Mismatch as mismatch:
            # what our attention cannot do says nothing about the model
            reasons += [] if way.in_pieces else [str(mismatch)]
            continue
        return TreeReader(model, way(model, autocast), autocast)
    _LOG.info("%s cannot read a tree: %s", type(model).__name__, reasons[0])
    return None


def _try(model: Any, way: Way, autocast: torch.dtype | None) -> None:
    config = model.config.get_text_config()
    length = long_trial_length(config)
    slow = RecomputeRunner(model, 1, autocast)
    try:
        with short_windows(config):
            masking = way(model, autocast)
            found = _trial(TreeReader(model, masking, autocast), slow, 0)
            if length:
                reader = TreeReader(model, masking, autocast)
                found = torch.cat([found, _trial(reader, slow, length)])
    # whatever a foreign model raises, its sequences can still be read alone
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        raise Mismatch(f"{type(error).__name__}: {first}") from error
    limit, share = allowed(autocast or model.dtype)
    worst = found.quantile(share).item()
    if not worst <= limit:  # NaN is no match
        raise Mismatch(f"logits differ by {worst:.2g} of their spread")


def _trial(reader: TreeReader, slow: RecomputeRunner, extra: int) -> Tensor:
    """Read a tree whose paths are ``extra`` tokens longer; return all errors."""
    draw = Draw(reader.vocab_size)
    stem = draw(6 + extra)
    size = len(stem)
    first, second, third = draw(4), draw(3), draw(5)
    inner = [*stem, *first[:2]]
    reader.read([], [Segment(0, stem), Segment(size, first), Segment(size + 2, second)])
    path = [*range(size), size, size + 1]
    found = [
        _errors(reader, slow, [*range(size), *range(size, size + 4)], [*stem, *first]),
        _errors(reader, slow, [*path, *range(size + 4, size + 7)], [*inner, *second]),
    ]
    # two forwards without dropping rows, then a path that is not where it was read
    reader.read(path, [Segment(size + 2, third), Segment(3, second)])
    third_rows = [*path, *range(size + 7, size + 12)]
    found.append(_errors(reader, slow, third_rows, [*inner, *third]))
    fork = [0, 1, 2, *range(size + 12, size + 15)]
    found.append(_errors(reader, slow, fork, [*stem[:3], *second]))
    reader.keep(third_rows)
    reader.read(range(size + 4), [Segment(size + 4, first)])
    rows = [*range(size + 4), *range(size + 7, size + 11)]
    found.append(_errors(reader, slow, rows, [*inner, *third[:2], *first]))
    return torch.cat(found)


def _errors(
    reader: TreeReader, slow: RecomputeRunner, rows: Sequence[int], text: Sequence[int]
) -> Tensor:
    logits = reader.logits(reader.hidden(torch.tensor(rows))).float()
    slot, _ = slow.acquire(text)
    alone = slow.forward([Feed(slot, text, len(text))])
    slow.release(slot)
    return errors(logits.to(alone.device), alone)
