"""The two loaded models and what runs on them, shared by every strategy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ..decoding.generation_law import GenerationLaws
from ..decoding.reading import SharedVocabulary
from ..errors import ModelError
from ..models.calling import vocab_width
from ..models.compiling import compile_runner
from ..models.probe import choose_runner
from ..models.runner import CausalRunner
from ..models.tree_probe import choose_tree_reader
from ..models.tree_reader import TreeReader
from ..models.vocabulary import compare_tokenizers, real_size
from .arguments import Arguments
from .loading import CausalHFLM

Role = Literal["slm", "llm"]


class Pair:
    """An LLM and, where there is one, an SLM that speaks the same tokens.

    The SLM is loaded when it is first needed; both stay loaded.

    :param llm: the large model.
    :param load_slm: loads the small one; None where none was named.
    :param compiles: whether runners run compiled layers.
    """

    def __init__(
        self,
        llm: CausalHFLM,
        load_slm: Callable[[], CausalHFLM] | None,
        compiles: bool = False,
    ) -> None:
        self.llm = llm
        self._load_slm = load_slm
        self._compiles = compiles
        self._slm: CausalHFLM | None = None
        self._runners: dict[Role, tuple[int, CausalRunner]] = {}
        self._trees: dict[Role, TreeReader | None] = {}
        self._laws: dict[Role, GenerationLaws] = {}

    @property
    def slm(self) -> CausalHFLM | None:
        """The small model, None where none was named.

        :raises VocabularyError: its tokenizer is another one than the LLM's.
        """
        if self._slm is None and self._load_slm is not None:
            slm = self._load_slm()
            compare_tokenizers(slm.tokenizer, self.llm.tokenizer)
            self._slm = slm
        return self._slm

    @property
    def loaded_slm(self) -> CausalHFLM | None:
        """The small model if it is loaded already."""
        return self._slm

    def members(self, with_slm: bool) -> list[CausalHFLM]:
        """Return the models that take part, the small one first."""
        slm = self.slm if with_slm else None
        return [self.llm] if slm is None else [slm, self.llm]

    def vocabulary(self, with_slm: bool) -> SharedVocabulary:
        """Return the ids that every model taking part knows."""
        size = min(vocab_width(lm.model) for lm in self.members(with_slm))
        return SharedVocabulary(size, min(size, real_size(self.llm.tokenizer)))

    def runner(self, role: Role, slots: int) -> CausalRunner:
        """Return the runner of a model, with that many slots or more."""
        held, runner = self._runners.get(role, (0, None))
        if runner is None or held < slots:
            # the old cache goes before the new one comes
            self._runners.pop(role, None)
            del runner
            lm = self._member(role)
            lm.prepare()
            runner = choose_runner(lm.model, slots, lm.mixed_precision_dtype)
            if self._compiles:
                compile_runner(runner, lm.model)
            self._runners[role] = slots, runner
        return runner

    def tree(self, member: CausalHFLM) -> TreeReader | None:
        """Return what reads a model's sequences as a tree; None where nothing can."""
        role: Role = "llm" if member is self.llm else "slm"
        if role not in self._trees:
            member.prepare()
            dtype = member.mixed_precision_dtype
            self._trees[role] = choose_tree_reader(member.model, dtype)
        return self._trees[role]

    def runners(self) -> dict[Role, CausalRunner]:
        """Return the runners made so far."""
        return {role: runner for role, (_, runner) in self._runners.items()}

    def forget(self) -> None:
        """Drop the runners: a call that failed may have left them half way."""
        self._runners.clear()
        self._trees.clear()

    def laws(self, role: Role) -> GenerationLaws:
        """Return the generation laws of a model."""
        if role not in self._laws:
            self._laws[role] = GenerationLaws(self._member(role).model)
        return self._laws[role]

    def _member(self, role: Role) -> CausalHFLM:
        member = self.llm if role == "llm" else self.slm
        if member is None:
            raise ModelError("slm is missing: expected the small model")
        return member


def slm_loader(llm: CausalHFLM, given: Arguments) -> Callable[[], CausalHFLM] | None:
    """Return what loads the small model, None where none was named.

    A model that is named twice, with the same arguments, is loaded once.
    """
    slm, loading = given.slm, dict(given.slm_loading)
    if slm is None:
        return None
    if (slm, loading) == (given.llm, given.llm_loading):
        return lambda: llm
    if not isinstance(slm, str) and not getattr(slm, "name_or_path", ""):
        # a model that was never saved brings no tokenizer of its own
        loading.setdefault("tokenizer", llm.tokenizer)
    return lambda: CausalHFLM("slm", slm, loading, given.pack)
