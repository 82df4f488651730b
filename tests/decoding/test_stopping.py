"""Stops: per token, across tokens and bytes, never late."""

import pytest
from hybridlm_strategy_baselines import LlmOnly
from hybridlm_strategy_speculative import Speculative

from hybridcore.decoding.step_law import WarpLaw
from hybridcore.decoding.stopping import StopWatch, TextTail

PIECES = ["a", "b", "c", "ab", "ca", "\n", "bc", " "]


def decode(tokens):
    return "".join(PIECES[token] for token in tokens)


def when(tokens, stops, budget=99, eos=()):
    watch = StopWatch(budget, frozenset(eos), tuple(stops), decode)
    for i in range(1, len(tokens) + 1):
        reason = watch.finish(tokens[:i])
        if reason:
            return i, reason
    return None


@pytest.mark.parametrize(
    ("tokens", "stops", "expected"),
    [
        ([0, 1, 2, 0], ["bc"], (3, "stop")),
        ([0, 6, 0], ["bc"], (2, "stop")),
        ([3, 4, 0], ["bca"], (2, "stop")),
        ([0, 1, 2, 0], ["abca"], (4, "stop")),
        ([0, 0, 0], ["b"], None),
        ([0, 5, 0], ["\n"], (2, "stop")),
        ([0, 1], [""], None),
    ],
)
def test_stop_strings_across_tokens(tokens, stops, expected):
    assert when(tokens, stops) == expected


def test_budget_and_end_of_sequence():
    assert when([0, 1, 2], [], budget=2) == (2, "length")
    assert when([0, 7, 2], [], eos=[7]) == (2, "eos")
    assert when([0, 1], ["b"], budget=2) == (2, "stop")


def test_split_characters_are_kept_back_until_complete():
    parts = [b"x", "é".encode()[:1], "é".encode()[1:], "中".encode()[:2],
             "中".encode()[2:], b"y"]  # fmt: skip

    def bytes_decode(tokens):
        return b"".join(parts[t] for t in tokens).decode(errors="replace")

    tail = TextTail(bytes_decode)
    shown = [tail.new_text(range(i + 1)) for i in range(len(parts))]
    assert shown == ["x", "", "é", "", "中", "y"]


def test_long_texts_are_decoded_once_for_each_token_in_a_bounded_window():
    lengths = []

    def words(tokens):
        """As SentencePiece does: no blank before the first word."""
        lengths.append(len(tokens))
        return "".join(f" w{token}" for token in tokens).removeprefix(" ")

    tail = TextTail(words)
    shown = "".join(tail.new_text(range(i + 1)) for i in range(300))
    assert shown == words(range(300))
    assert max(lengths[:-1]) < 20
    assert len(lengths) < 350


@pytest.mark.parametrize("drafts", [1, 2, 4, 7])
def test_a_stop_inside_a_block_cuts_there(make_pair, drafts):
    law = WarpLaw(0.0)
    for seed in range(4):
        pair = make_pair(seed=seed)
        prompts = [[i] for i in range(8)]
        settings = {"law": law, "stops": ("ca", "\n"), "decode": decode}
        expected = pair.run(LlmOnly(), prompts, 15, **settings)
        got = pair.run(Speculative(num_drafts=drafts), prompts, 15, **settings)
        for a, b in zip(expected, got, strict=True):
            assert (a.tokens, a.finish) == (b.tokens, b.finish)
            text = decode(a.tokens)
            assert a.finish == "stop" or not ("ca" in text or "\n" in text)
            assert not any(stop in decode(a.tokens[:-1]) for stop in ("ca", "\n"))
