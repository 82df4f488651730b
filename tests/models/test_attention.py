"""Attention in pieces is scaled dot products, whatever it is cut into."""

import contextlib

import pytest
import torch
from transformers import AttentionInterface

from hybridcore.models import attention
from hybridcore.models.attention import (
    NAME,
    attending,
    attention_in_pieces,
    folded,
    two_products,
)
from hybridcore.models.pieces import Piece, additive

SLOTS, HEADS, SHARED, WIDTH, TOKENS, KEYS = 5, 6, 2, 8, 4, 11
CPU = torch.device("cpu")


class Config:
    _attn_implementation = "sdpa"


def drawn(*shape):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator)


def formula(query, key, value, visible, scale):
    """The definition, in float64: one head, one query at a time."""
    query, key, value = (x.double() for x in (query, key, value))
    result = torch.zeros(*query.shape[:3], value.shape[-1], dtype=torch.float64)
    share = query.shape[1] // key.shape[1]
    for row, head, token in torch.cartesian_prod(*map(torch.arange, query.shape[:3])):
        seen = visible[row, 0, token].nonzero()[:, 0]
        scores = key[row, head // share, seen] @ query[row, head, token] * scale
        law = scores.softmax(0)
        result[row, head, token] = law @ value[row, head // share, seen]
    return result.transpose(1, 2).float()


def example(rows, tokens=TOKENS, keys=KEYS, values=WIDTH):
    query = drawn(rows, HEADS, tokens, WIDTH)
    key, value = drawn(SLOTS, SHARED, keys, WIDTH), drawn(SLOTS, SHARED, keys, values)
    visible = drawn(rows, 1, tokens, keys) > 0
    visible[..., 0] = True
    return query, key, value, visible


def whole(visible):
    all_of_it = [slice(None)] * 4
    return Piece(*all_of_it, additive(visible, torch.float32))


@pytest.mark.parametrize("values", [WIDTH, 5])
@pytest.mark.parametrize("attend", [folded, two_products])
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_heads_below_each_other(scale, attend, values):
    query, key, value, visible = example(SLOTS, values=values)
    piece = whole(visible)
    expected = formula(query, key, value, visible, scale)
    for _ in range(2):  # the second layer finds the mask made
        found = attend(query, key, value, piece, scale)
        torch.testing.assert_close(found, expected)
    assert piece.folded_mask(HEADS // SHARED) is piece.folded_mask(HEADS // SHARED)


def test_more_keys_and_queries_than_the_kernel_takes_at_once():
    query, key, value, visible = example(SLOTS, tokens=16, keys=1_100)
    visible[1, :, :3, :1_050] = False  # the first and second 512 keys
    visible[1, :, :3, 1_099] = True
    found = folded(query, key, value, whole(visible), 0.3)
    torch.testing.assert_close(found, formula(query, key, value, visible, 0.3))


def test_queries_that_see_nothing_give_numbers():
    query, key, value, visible = example(SLOTS)
    visible[2, :, 1] = False
    found = folded(query, key, value, whole(visible), 0.3)
    assert found.isfinite().all()


@pytest.mark.parametrize("values", [WIDTH, 5])
@pytest.mark.parametrize("tokens", [1, 17])
def test_values_of_another_width_go_another_way(values, tokens, monkeypatch):
    query, key, value, visible = example(SLOTS, tokens=tokens, values=values)
    seen = []

    def watched(*args):
        seen.append(args)
        return two_products(*args)

    monkeypatch.setattr(attention, "two_products", watched)
    with attending(Config(), [[whole(visible)]], CPU) as masks:
        found, _ = attention_in_pieces(None, query, key, value, masks[0], scaling=0.3)
    torch.testing.assert_close(found, formula(query, key, value, visible, 0.3))
    assert len(seen) == (values != WIDTH and tokens == 1)


@pytest.mark.parametrize("short", [0, 16])
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_pieces_of_rows_keys_and_queries(short, scaling, monkeypatch):
    monkeypatch.setattr(attention, "SHORT", short)
    query, key, value, visible = example(3)
    slots = [1, 2, 4]
    visible[2, :, :2, 7:] = False
    spans = [
        (slice(0, 2), slice(1, 3), slice(0, 4), slice(0, KEYS)),
        (slice(2, 3), slice(4, 5), slice(0, 2), slice(0, 7)),
        (slice(2, 3), slice(4, 5), slice(2, 4), torch.arange(KEYS)),
    ]
    pieces = [
        Piece(*span, additive(visible[span[0], :, span[2], span[3]], torch.float32))
        for span in spans
    ]
    with attending(Config(), [[], pieces], CPU) as masks:
        found, _ = attention_in_pieces(
            None, query, key, value, masks[1], scaling=scaling, dropout=0.0
        )
    scale = WIDTH**-0.5 if scaling is None else scaling
    expected = formula(query, key[slots], value[slots], visible, scale)
    torch.testing.assert_close(found, expected)


def test_queries_of_no_piece_give_numbers():
    query, key, value, visible = example(1)
    mask = additive(visible[:, :, 2:], torch.float32)
    piece = Piece(slice(0, 1), slice(0, 1), slice(2, 4), slice(0, KEYS), mask)
    with attending(Config(), [[piece]], CPU) as masks:
        found, _ = attention_in_pieces(None, query, key, value, masks[0])
    assert found[:, :2].tolist() == torch.zeros(1, 2, HEADS, WIDTH).tolist()


@pytest.mark.parametrize("name", ["softcap", "s_aux", "position_bias"])
def test_what_it_does_not_know_is_refused(name):
    query, key, value, _ = example(1)
    with attending(Config(), [[]], CPU) as masks, pytest.raises(TypeError) as error:
        attention_in_pieces(None, query, key, value, masks[0], **{name: 1.0})
    assert str(error.value) == f"attention in pieces knows no ['{name}']"


@pytest.mark.parametrize("shape", [None, (1, 1, 4, 11), (1, 1, 1, 2)])
def test_a_mask_that_is_not_its_own_is_refused(shape):
    query, key, value, _ = example(1)
    mask = None if shape is None else torch.zeros(shape)
    with attending(Config(), [[]], CPU), pytest.raises(TypeError) as error:
        attention_in_pieces(None, query, key, value, mask)
    assert str(error.value) == "attention in pieces knows no such mask"


def test_the_models_own_attention_comes_back():
    config = Config()
    assert NAME in AttentionInterface._global_mapping
    with contextlib.suppress(ValueError), attending(config, [[]], CPU):
        assert config._attn_implementation == NAME
        raise ValueError
    assert config._attn_implementation == "sdpa"
    assert attention._handed == []


def test_a_mask_is_known_after_it_was_moved_and_cast():
    query, key, value, visible = example(1)
    mask = additive(visible, torch.float32)
    piece = Piece(slice(0, 1), slice(0, 1), slice(0, 4), slice(0, KEYS), mask)
    with attending(Config(), [[piece]], CPU) as masks:
        found, _ = attention_in_pieces(None, query, key, value, masks[0].half().clone())
    torch.testing.assert_close(
        found, formula(query, key[:1], value[:1], visible, WIDTH**-0.5)
    )
