"""Whether two tokenizers speak the same ids, and which ids stand for a token.

Prompts are encoded by the LLM's tokenizer alone and both models read its ids, so what
must agree is what an id means. Where it does not, a layer between a runner and the
engine could translate (token ids in feeds, columns of logits); until there is one,
such a pair is refused.
"""

from __future__ import annotations

from typing import Any

from ..errors import VocabularyError

PROBES = (
    "The quick brown fox, 12345 + 67.8 = ?",
    "1 22 333 4444 55555 0.001 1e-9 3,141,592",
    "  two  spaces\n\tand a tab\r\n\n   four",
    "naïve café — “quotes” … 中文字符 日本語 العربية हिन्दी 🙂👩‍👩‍👧",
    "I'LL say: DON'T split_this camelCase/http://a.b?c=d&e#f",
    "def f(x):\n    return x**2 if x >= 0 else -x  # comment\n",
    "<script>alert('&amp;')</script>",
    "",
)
# not eos: a base and a chat model end differently
_SPECIALS = ("bos_token_id", "unk_token_id")


def compare_tokenizers(slm: Any, llm: Any) -> None:
    """Raise :class:`VocabularyError` naming the first difference, if there is one.

    Compared are vocabularies, special ids and a set of probe texts; not chat
    templates (the LLM's is used), padding, or the sizes of the models' embeddings.
    """
    if slm is llm:
        return
    _compare_entries(slm.get_vocab(), llm.get_vocab())
    for name in _SPECIALS:
        ours, theirs = getattr(slm, name, None), getattr(llm, name, None)
        if None not in (ours, theirs) and ours != theirs:
            _fail(f"{name} is {ours!r}", repr(theirs))
    for text in PROBES:
        ours, theirs = (t.encode(text, add_special_tokens=False) for t in (slm, llm))
        if ours != theirs:
            first = next(i for i in range(1, 1 << 30) if ours[:i] != theirs[:i])
            _fail(f"{text!r} begins with {ours[:first]!r}", repr(theirs[:first]))


def real_size(tokenizer: Any) -> int:
    """Return one more than the largest id that stands for a token.

    Columns of logits from there on are padding, of which models of one family may
    have more or less. (``len(tokenizer)`` is less where ids have gaps.)
    """
    return max(tokenizer.get_vocab().values()) + 1


def _compare_entries(slm: dict[str, int], llm: dict[str, int]) -> None:
    if slm == llm:
        return
    for token, index in sorted(llm.items(), key=lambda item: item[1]):
        if slm.get(token) != index:
            _fail(f"token {token!r} is {slm.get(token)!r}", repr(index))
    index, token = min((i, t) for t, i in slm.items() if t not in llm)
    _fail(f"token {token!r} is {index!r}", "None")


def _fail(slm: str, llm: str) -> None:
    raise VocabularyError(
        f"the tokenizers differ: {slm} for the SLM, {llm} for the LLM\n"
        "name two models that share a tokenizer"
    )
