"""Whether two tokenizers speak the same ids, and which ids both models know."""

from __future__ import annotations

from typing import Any

from ..errors import VocabularyError

PROBES = (
    "The quick brown fox, 12345 + 67.8 = ?",
    "  two  spaces\n\tand a tab\r\n",
    "naïve café — “quotes” … 中文字符 日本語 العربية 🙂",
    "def f(x):\n    return x**2  # comment\n",
    "<script>alert('&amp;')</script>",
    "",
)
_SPECIALS = ("bos_token_id", "eos_token_id", "unk_token_id")


def compare_tokenizers(slm: Any, llm: Any) -> None:
    """Raise :class:`VocabularyError` naming the first difference, if there is one.

    Compared are vocabularies, special ids and a set of probe texts; not chat
    templates (the LLM's is used), padding, or the sizes of the models' embeddings.
    """
    if slm is llm:
        return
    _compare_entries(slm.get_vocab(), llm.get_vocab())
    for name in _SPECIALS:
        # the two may be a base and a chat model, which end differently
        if name != "eos_token_id" and _differ(getattr(slm, name), getattr(llm, name)):
            _fail(f"{name} is {getattr(slm, name)!r}", repr(getattr(llm, name)))
    for text in PROBES:
        ours, theirs = (t.encode(text, add_special_tokens=False) for t in (slm, llm))
        if ours != theirs:
            _fail(f"{text!r} is {ours[:8]!r}", f"{theirs[:8]!r}")


def real_size(tokenizer: Any) -> int:
    """Return one more than the largest id that stands for a token."""
    return max(tokenizer.get_vocab().values()) + 1


def _differ(a: int | None, b: int | None) -> bool:
    return a is not None and b is not None and a != b


def _compare_entries(slm: dict[str, int], llm: dict[str, int]) -> None:
    for token, index in sorted(llm.items(), key=lambda item: item[1]):
        if slm.get(token) != index:
            _fail(f"token {token!r} is {slm.get(token)!r}", repr(index))
    extra = sorted((i, t) for t, i in slm.items() if t not in llm)
    if extra:
        _fail(f"token {extra[0][1]!r} is {extra[0][0]!r}", "None")


def _fail(slm: str, llm: str) -> None:
    raise VocabularyError(
        f"the tokenizers differ: {slm} for the SLM, {llm} for the LLM\n"
        "name two models that share a tokenizer"
    )
