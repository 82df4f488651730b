"""Texts of tokens in a trace: what each one adds to the answer."""

from hybridcore.decoding.request import Answer, EmittedToken, GenerationRequest
from hybridcore.harness.trace import answer_line
from hybridcore.tally import Tally

# one character in two tokens
_BYTES = {0: b"a", 1: "é".encode()[:1], 2: "é".encode()[1:], 3: b"<b>", 4: b"no"}


def decode(ids):
    return b"".join(_BYTES[i] for i in ids).decode(errors="replace")


def answer(tokens, reader=decode):
    request = GenerationRequest([0], 9, None, None, decode=reader)
    provenance = tuple(
        EmittedToken(t, True, accepted=False, rejected=4)
        if t == 3
        else EmittedToken(t, False)
        for t in tokens
    )
    return Answer(request, tuple(tokens), "length", provenance, Tally())


def test_pieces_put_together_are_the_text():
    said = answer_line(answer([0, 1, 2, 3, 0]), "aé<b>a")["tokens"]
    assert [token["text"] for token in said] == ["a", "", "é", "<b>", "a"]
    assert said[3]["rejected_text"] == "no"
    assert "rejected_text" not in said[0]


def test_ids_alone_where_nothing_decodes():
    said = answer_line(answer([0, 3], None), "")["tokens"]
    assert [sorted(token) for token in said] == [
        ["accepted", "id", "model", "rejected", "signal"]
    ] * 2
