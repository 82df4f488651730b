"""Short reads that are recorded: one launch in place of hundreds.

A step of a few tokens keeps a device busy for less time than Python needs to call its
operators. So a read that comes again and again in the same shape is recorded, all slots
at once, and replayed with other tokens in the same tensors: as a CUDA graph on a GPU
(``cuda_recorder.py``), compiled as a whole on a CPU (``compiled_steps.py``).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from ..transfer import send
from .attention import SHORT
from .cached_call import cached_call
from .calling import ModelCall
from .masking import Masking
from .memory import out_of_memory
from .places import Places, run_of
from .recorder import Recorder, StepSize
from .runner import Feed
from .slot_cache import SlotCache
from .step_view import StepView
from .trial import errors

Shape: TypeAlias = tuple[int, int]  # tokens a row, wanted positions
_LOG = logging.getLogger(__name__)
_MOST = 32  # recordings held; each keeps the memory of one step
_EXACT = {torch.float32: 1e-4}  # of the spread of the logits
_EXACT_ELSE = 2e-2


class RecordedSteps:
    """The recorded reads of one model's slots.

    :param recorder: of that model.

    Attributes:
        made: recordings made so far.
    """

    def __init__(
        self,
        call: ModelCall,
        cache: SlotCache,
        masking: Masking,
        places: Places,
        recorder: Recorder,
    ) -> None:
        self._call = call
        self._cache = cache
        self._masking = masking
        self._places = places
        self._recorder = None if recorder.failed else recorder
        self.made = 0
        self._seen: Counter[Shape] = Counter()
        self._steps: dict[Shape, Step] = {}
        self._given_up: set[Shape] = set()  # for which there was no memory
        self._layout = 0  # of the keys that were recorded

    def follow(self, cache: SlotCache) -> None:
        """Record on another cache from now on."""
        self._cache = cache
        self.forget()

    def read(
        self, feeds: Sequence[Feed], wanted: int, device: torch.device
    ) -> Tensor | None:
        """Return logits ``[feeds, wanted, V]``; None where nothing is recorded.

        Places are not told: they are whoever's who reads.
        """
        width = max(len(feed.tokens) for feed in feeds)
        longest = self._places.longest()
        room = self._cache.capacity - longest
        if not self._recordable(len(feeds), width, room):
            return None
        shape = (width, wanted)
        if self._cache.layout() != self._layout:
            self.forget()  # recordings point at keys that are no more
        self._seen[shape] += 1
        held = self._holding(shape, room)
        if self._worth_recording(shape, held):
            self._make(shape, feeds, device)
            held = self._holding(shape, room)
        if held is None or self._cache.too_large(longest + width):
            return None  # the call that comes instead gives room back
        step = self._steps[held]
        self._aim(step, feeds)
        return _rows(step.replay()[:, -wanted:], [feed.slot for feed in feeds])

    def _recordable(self, rows: int, width: int, room: int) -> bool:
        """Whether reads of this kind are recorded at all.

        :param room: how many tokens fit behind the longest row.
        """
        if self._recorder is None or self._call.want_hidden:
            return False
        if rows < self._recorder.share * len(self._places.held):
            return False
        return width <= min(SHORT, room)

    def _worth_recording(self, shape: Shape, held: Shape | None) -> bool:
        if shape in self._given_up or len(self._steps) >= _MOST:
            return False
        recorder = self._recorder
        assert recorder is not None
        if held is not None and held[0] - shape[0] <= recorder.spare:
            return False
        return recorder.knows(self._size(shape)) or self._seen[shape] >= recorder.worth

    def _holding(self, shape: Shape, room: int) -> Shape | None:
        """Return the narrowest shape recorded that holds another, if there is one.

        A few tokens more are read in little more time, but called in much more.
        """
        reach = self._recorder.reach if self._recorder else 0
        widest = min(room, shape[0] + reach)
        return min(
            (
                (width, wanted)
                for width, wanted in self._steps
                if shape[0] <= width <= widest and shape[1] <= wanted
            ),
            default=None,
        )

    def forget(self) -> None:
        """Drop all recordings."""
        self._steps.clear()
        self._seen.clear()
        self._given_up.clear()
        self._layout = self._cache.layout()

    def _make(self, shape: Shape, feeds: Sequence[Feed], device: torch.device) -> None:
        """Record a read and see that it does what it did; give up where it cannot."""
        # what a step holds must not hold the steps, or keys outlive their runner
        read = partial(_run, self._call, self._cache, self._masking)
        step = Step(self._size(shape), device, read, self._cache.tensors)
        self._aim(step, feeds)
        assert self._recorder is not None
        try:
            expected = step.run().clone()
            step.replay = self._recorder.record(step)
            error = errors(step.replay().flatten(0, 1), expected.flatten(0, 1)).max()
            allowed = _EXACT.get(self._call.model.dtype, _EXACT_ELSE)
            if not error <= allowed:
                raise RuntimeError(f"logits differ by {error:.2g} of their spread")
        # whatever a foreign model does that cannot be recorded, it can be called
        except Exception as error:
            if out_of_memory(error):
                self._given_up.add(shape)
                return
            kind, self._recorder.failed = self._recorder.kind, True
            self._recorder = None
            self._steps.clear()
            _LOG.warning("steps are not recorded as %s: %s", kind, _first_line(error))
            return
        self._steps[shape] = step
        self.made += 1

    def _size(self, shape: Shape) -> StepSize:
        # all keys there is room for: a few reads in vain are cheaper than a recording
        return (len(self._places.held), self._cache.capacity, *shape)

    def _aim(self, step: Step, feeds: Sequence[Feed]) -> None:
        # idle rows write their padding behind what they hold
        self._places.clip(self._cache.capacity - step.view.width)
        step.view.aim(feeds, [len(tokens) for tokens in self._places.held])


class Step:
    """One recorded read of all slots.

    :param read: reads what a view is aimed at; gives the logits wanted.
    :param keys: returns the tensors of the cache, once there are some.

    Attributes:
        size: see :class:`~.recorder.Recordable`.
        view: where its tokens are put.
        replay: returns its logits ``[slots, wanted, V]``, overwritten by the next call.
    """

    def __init__(
        self,
        size: StepSize,
        device: torch.device,
        read: Callable[[StepView, int], Tensor],
        keys: Callable[[], list[Tensor]],
    ) -> None:
        slots, capacity, width, self._wanted = size
        self.size = size
        self.view = StepView(slots, width, capacity, device)
        self.replay: Callable[[], Tensor]
        self._read = read
        self._keys = keys

    def run(self) -> Tensor:
        """Read what the view is aimed at."""
        return self._read(self.view, self._wanted)

    def tensors(self) -> list[Tensor]:
        """Return the tensors that a run reads and writes."""
        view = self.view
        return [view.ids, view.positions, view.places, *self._keys()]


def _run(
    call: ModelCall, cache: SlotCache, masking: Masking, view: StepView, wanted: int
) -> Tensor:
    cache.aim(view)
    logits, _ = cached_call(call, cache, masking, view, wanted)
    return logits


def _first_line(error: Exception) -> str:
    inner = getattr(error, "inner_exception", error)  # what a compiler met
    return next(iter(str(inner).strip().splitlines()), type(inner).__name__)


def _rows(logits: Tensor, slots: list[int]) -> Tensor:
    """Return a copy of some rows."""
    run = run_of(slots)
    if run is not None:
        return logits[run].clone()
    return logits[send(slots, logits.device)]
