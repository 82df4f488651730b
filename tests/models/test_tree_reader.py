"""A tree that is read once gives what reading every sequence alone gives."""

import random

import pytest
import torch

from hybridcore.conformance.tiny import TINY
from hybridcore.models import pieces
from hybridcore.models.attention import NAME
from hybridcore.models.masks import causal
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed
from hybridcore.models.tree_probe import choose_tree_reader
from hybridcore.models.tree_view import Segment, TreeView
from hybridcore.models.trial import errors

NO_TREE = {"bloom", "mamba", "gpt_neo", "lfm2"}
OWN_ATTENTION = {"gemma2", "gpt_oss"}  # soft caps, sinks
TREES = sorted(set(TINY) - NO_TREE)
EXACT = 1e-4  # of the spread of the logits


class Walk:
    """Reads a random tree, and remembers what stands on every path."""

    def __init__(self, reader, seed):
        self.reader, self.rng = reader, random.Random(seed)
        self.texts, self.paths = [[]], [[]]

    def tokens(self, count):
        return [self.rng.randrange(3, 60) for _ in range(count)]

    def grow(self, segments):
        """Read some segments at random forks of the last path, in one forward."""
        text, path = list(self.texts[-1]), list(self.paths[-1])
        row, chosen = self.reader.held, []
        for _ in range(segments):
            depth = self.rng.randrange(len(text) + 1)
            new = self.tokens(self.rng.randrange(1, 7))
            chosen.append(Segment(depth, new))
            text, path = text[:depth] + new, path[:depth]
            path += range(row, row + len(new))
            row += len(new)
            self.texts.append(text)
            self.paths.append(path)
        self.reader.read(self.paths[-1 - segments][: chosen[0].depth], chosen)

    def cut(self):
        """Keep the last path alone."""
        text, path = self.texts[-1], self.paths[-1]
        self.reader.keep(path)
        self.texts, self.paths = [text], [list(range(len(path)))]

    def worst(self, slow):
        found = []
        for text, path in zip(self.texts[1:], self.paths[1:], strict=True):
            hidden = self.reader.hidden(torch.tensor(path))
            slot, _ = slow.acquire(text)
            alone = slow.forward([Feed(slot, text, len(text))])
            slow.release(slot)
            found.append(errors(self.reader.logits(hidden), alone))
        return torch.cat(found).max().item()


@pytest.mark.parametrize("piece", [5, 128])
@pytest.mark.parametrize("kind", TREES)
def test_a_tree_gives_what_its_sequences_give(tiny, kind, piece, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", piece)
    model = tiny(kind)
    reader, slow = choose_tree_reader(model), RecomputeRunner(model, 1)
    worst = 0.0
    for seed in range(3):
        walk = Walk(reader, seed)
        reader.keep([])
        for segments in (4, 2, 5):
            walk.grow(segments)
            worst = max(worst, walk.worst(slow))
            if seed != 1:
                walk.cut()
    assert worst < EXACT


@pytest.mark.parametrize("kind", sorted(TINY))
def test_how_each_architecture_reads_a_tree(tiny, kind):
    model = tiny(kind)
    own = model.config._attn_implementation
    reader = choose_tree_reader(model)
    assert (reader is None) == (kind in NO_TREE)
    if reader is not None:
        assert reader.in_pieces == (kind not in OWN_ATTENTION)
    assert model.config._attn_implementation == own != NAME


def test_a_token_sees_its_own_path_and_nothing_else():
    segments = [Segment(2, [1, 2, 3]), Segment(4, [4, 5]), Segment(1, [6])]
    view = TreeView([0, 1], 2, segments, torch.device("cpu"))
    # rows 0 1 | 2 3 4 | 5 6 | 7
    paths = [
        [0, 1, 2],
        [0, 1, 2, 3],
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3, 5],
        [0, 1, 2, 3, 5, 6],
        [0, 7],
    ]
    seen = [row.nonzero()[:, 0].tolist() for row in view.visible(causal)[0, 0]]
    assert seen == paths
    assert view.positions.tolist() == [[2, 3, 4, 4, 5, 1]]


def test_a_piece_takes_no_key_that_none_of_its_queries_sees(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 2)
    view = TreeView(
        [], 0, [Segment(0, [1] * 6), Segment(1, [2, 3])], torch.device("cpu")
    )
    last = view.pieces(causal, torch.float32)[-1]
    assert last.keys.tolist() == [0, 6, 7]
    assert last.mask[0, 0].tolist() == [[0.0, 0.0, -torch.inf], [0.0, 0.0, 0.0]]
