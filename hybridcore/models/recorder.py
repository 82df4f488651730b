"""What makes a step that comes again cheaper than calling the model for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from torch import Tensor

# slots, keys there is room for, tokens a row, wanted positions
StepSize: TypeAlias = tuple[int, int, int, int]


class Recordable(Protocol):
    """A step that does the same whenever it is run, with what its tensors then hold.

    Attributes:
        size: steps of one model and one size differ in nothing but their tensors.
    """

    size: StepSize

    def run(self) -> Tensor:
        """Call the model; return logits ``[slots, wanted, V]``."""

    def tensors(self) -> Sequence[Tensor]:
        """Return what is read and written: tokens and their places, keys, values."""


class Recorder(ABC):
    """Records the steps of one model.

    Attributes:
        kind: what recordings are, for messages.
        worth: reads of one shape before it is recorded.
        share: of the slots that a step must read to be worth a recording of all.
        spare: tokens a row that are rather read in vain than recorded apart.
        reach: tokens a row that may be read in vain at all.
        failed: a step could not be recorded rightly, so no other is tried.
    """

    kind: str
    worth: int
    share: float
    spare: int
    reach: int
    failed: bool = False

    @abstractmethod
    def record(self, step: Recordable) -> Callable[[], Tensor]:
        """Return what gives the step's logits again.

        They may be overwritten when it is called the next time.

        :raises Exception: whatever the step does that cannot be recorded.
        """

    def knows(self, size: StepSize) -> bool:
        """Tell whether a step of that size would cost nothing to record."""
        return False
