"""The small model as it was named: what is cheap to look at comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..models.vocabulary import compare_tokenizers
from .loading import CausalHFLM, tokenizer_of

if TYPE_CHECKING:
    from .arguments import Arguments


class SmallModel:
    """Loads the small model of a pair.

    One that is named twice, with the same arguments, is the large model itself.

    :param llm: the large model, loaded or about to be.
    :param given: names a small one.
    """

    def __init__(self, llm: CausalHFLM, given: Arguments) -> None:
        self._llm = llm
        self._model: Any = given.slm
        self._loading = dict(given.slm_loading)
        self._pack = given.pack
        self._is_llm = (given.slm, self._loading) == (given.llm, given.llm_loading)

    def compare(self) -> None:
        """Compare the tokenizers, of which the large model's is loaded.

        :raises VocabularyError: they differ.
        """
        if isinstance(self._model, str) and not self._is_llm:
            tokenizer = tokenizer_of("slm", self._model, self._loading)
            compare_tokenizers(tokenizer, self._llm.tokenizer)
            self._loading["tokenizer"] = tokenizer

    def load(self) -> CausalHFLM:
        """Load weights and tokenizer.

        :raises VocabularyError: the tokenizer is another one than the large model's.
        """
        if self._is_llm:
            return self._llm
        loading = dict(self._loading)
        if not isinstance(self._model, str) and not _is_named(self._model):
            # a model that was never saved brings no tokenizer of its own
            loading.setdefault("tokenizer", self._llm.tokenizer)
        slm = CausalHFLM("slm", self._model, loading, self._pack)
        compare_tokenizers(slm.tokenizer, self._llm.tokenizer)
        return slm


def _is_named(model: Any) -> bool:
    return bool(getattr(model, "name_or_path", ""))
