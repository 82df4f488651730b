"""The two loaded models and what runs on them, shared by every strategy."""

from __future__ import annotations

from typing import Literal

from transformers import PreTrainedModel

from ..decoding.reading import SharedVocabulary
from ..errors import ModelError
from ..models.calling import vocab_width
from ..models.compiling import compile_runner
from ..models.probe import choose_runner
from ..models.recorder import Recorder
from ..models.recorders import recorder_of
from ..models.runner import CausalRunner
from ..models.tree_probe import choose_tree_reader
from ..models.tree_reader import TreeReader
from ..models.vocabulary import real_size
from .loading import CausalHFLM
from .small_model import SmallModel

Role = Literal["slm", "llm"]


class Pair:
    """An LLM and, where there is one, an SLM that speaks the same tokens.

    The SLM is loaded when it is first needed; both stay loaded.

    :param llm: the large model.
    :param small: loads the small one; None where none was named.
    :param cuda_graphs: record short reads of models on one GPU.
    :param compiles: whether runners run compiled code.
    """

    def __init__(
        self,
        llm: CausalHFLM,
        small: SmallModel | None,
        cuda_graphs: bool = True,
        compiles: bool = False,
    ) -> None:
        self.llm = llm
        self.small = small
        self._cuda_graphs = cuda_graphs
        self._compiles = compiles
        self._slm: CausalHFLM | None = None
        self._runners: dict[Role, tuple[int, CausalRunner]] = {}
        self._trees: dict[Role, TreeReader | None] = {}
        # they outlive runners: what was compiled once need not be again
        self._recorders: dict[Role, Recorder | None] = {}

    @property
    def slm(self) -> CausalHFLM | None:
        """The small model, None where none was named.

        :raises VocabularyError: its tokenizer is another one than the LLM's.
        """
        if self._slm is None and self.small is not None:
            self._slm = self.small.load()
        return self._slm

    @property
    def loaded_slm(self) -> CausalHFLM | None:
        """The small model if it is loaded already."""
        return self._slm

    def members(self, with_slm: bool) -> list[CausalHFLM]:
        """Return the models that take part, the small one first."""
        slm = self.slm if with_slm else None
        return [self.llm] if slm is None else [slm, self.llm]

    def prepared(self, with_slm: bool) -> list[CausalHFLM]:
        """Return the members, their weights laid as they will be when they are run."""
        members = self.members(with_slm)
        for member in members:
            member.prepare(self._compiles)
        return members

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
            lm.prepare(self._compiles)
            recorder = self._recorder(role, lm.model)
            runner = choose_runner(lm.model, slots, lm.mixed_precision_dtype, recorder)
            if self._compiles:
                compile_runner(runner, lm.model)
            self._runners[role] = slots, runner
        return runner

    def tree(self, member: CausalHFLM) -> TreeReader | None:
        """Return what reads a model's sequences as a tree; None where nothing can."""
        role: Role = "llm" if member is self.llm else "slm"
        if role not in self._trees:
            member.prepare(self._compiles)
            dtype = member.mixed_precision_dtype
            self._trees[role] = choose_tree_reader(member.model, dtype)
        return self._trees[role]

    def runners(self) -> dict[Role, CausalRunner]:
        """Return the runners made so far."""
        return {role: runner for role, (_, runner) in self._runners.items()}

    def release(self) -> None:
        """Let go of the keys that runners hold for later prompts."""
        for _, runner in self._runners.values():
            runner.clear()

    def forget(self) -> None:
        """Drop the runners: a call that failed may have left them half way."""
        self._runners.clear()
        self._trees.clear()

    def _recorder(self, role: Role, model: PreTrainedModel) -> Recorder | None:
        if role not in self._recorders:
            made = recorder_of(model, self._cuda_graphs, self._compiles)
            self._recorders[role] = made
        return self._recorders[role]

    def _member(self, role: Role) -> CausalHFLM:
        member = self.llm if role == "llm" else self.slm
        if member is None:
            raise ModelError("slm is missing: expected the small model")
        return member
