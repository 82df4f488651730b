"""Recorded reads: when they are made, and that a wrong one is never used."""

import weakref
from functools import partial

import accelerate
import pytest
import torch

from hybridcore.conformance.tiny import tiny_model
from hybridcore.models import slot_reader
from hybridcore.models.blocked_linear import BlockedLayout
from hybridcore.models.cached_call import cached_call
from hybridcore.models.compiled_steps import CompiledSteps
from hybridcore.models.huge_pages import Shelf
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.recorder import Recorder
from hybridcore.models.recorders import recorder_of
from hybridcore.models.runner import Feed
from hybridcore.models.trial import errors

LOGGER = "hybridcore.models.recorded_steps"
EXACT = 1e-4  # of the spread of the logits


class Recording(Recorder):
    """Records as a GPU would: what was run is run again, counted."""

    kind = "notes"

    worth, share, spare, reach = 3, 0.0, 3, 16

    def __init__(self, spoil=None, error=None, known=(), **settings):
        self.spoil, self.error, self.known = spoil, error, known
        vars(self).update(settings)
        self.made = self.replays = 0
        self.sizes = []

    def knows(self, size):
        return size[2:] in self.known

    def record(self, step):
        if self.error is not None:
            raise self.error
        self.made += 1
        self.sizes.append(step.size)
        # a graph knows what is run, not the step it was recorded of
        again = partial(step._read, step.view, step.size[3])

        def replay():
            self.replays += 1
            found = again()
            if self.spoil is not None:
                found[self.spoil] = 7.0
            return found

        return replay


@pytest.fixture
def runners():
    def make(recording, slots=3):
        model = tiny_model("llama")
        fast = choose_runner(model, slots, recorder=recording)
        pair = fast, RecomputeRunner(model, slots)
        for slot in range(slots):
            prompt = [slot + 3, 9, 11]
            assert [runner.acquire(prompt)[0] for runner in pair] == [slot, slot]
            for runner in pair:
                runner.forward([Feed(slot, prompt)])
        return pair

    return make


def turn(pair, slots=(0, 1, 2), width=1, wanted=1):
    feeds = [Feed(s, [5 + s + i for i in range(width)], wanted) for s in slots]
    found, expected = (runner.forward(feeds) for runner in pair)
    return errors(found, expected).max().item()


def replayed_and_made(pair, recording):
    """Replays in the first of four turns, and the recordings there are behind them."""
    before = recording.replays
    assert turn(pair) < EXACT
    replayed = recording.replays - before
    for _ in range(3):
        assert turn(pair) < EXACT
    return replayed, recording.made


def test_what_comes_again_is_recorded(runners):
    recording = Recording()
    pair = runners(recording)
    for number in range(3):
        assert recording.made == 0, number
        assert turn(pair) < EXACT
    assert (recording.made, recording.replays) == (1, 2)  # one of them is the check
    assert turn(pair, (0, 2)) < EXACT
    assert turn(pair, (1,)) < EXACT
    assert (recording.made, recording.replays) == (1, 4)
    for _ in range(3):
        assert turn(pair, (2, 0), width=4, wanted=3) < EXACT
    assert recording.made == 2
    assert pair[0].forwards == 11


def test_a_read_goes_through_a_wider_recording_until_it_has_its_own(runners):
    recording = Recording()
    pair = runners(recording)
    for _ in range(3):
        assert turn(pair, width=6, wanted=3) < EXACT
    assert (recording.made, recording.replays) == (1, 2)
    for _ in range(5):  # which it never has if it is nearly as wide
        assert turn(pair, width=3, wanted=2) < EXACT
    assert turn(pair, (2, 0), width=2) < EXACT
    assert (recording.made, recording.replays) == (1, 8)
    # not where more is wanted than was recorded
    assert turn(pair, width=6, wanted=4) < EXACT
    assert recording.replays == 8
    for _ in range(2):
        assert turn(pair, width=2) < EXACT
    assert recording.made == 2


def test_what_is_read_in_vain_is_for_the_recorder_to_say(runners):
    recording = Recording(spare=1, reach=2, known={(8, 1)})
    pair = runners(recording)
    assert turn(pair, width=8) < EXACT
    for width, replays in ((7, 1), (6, 1), (5, 0)):
        before = recording.replays
        assert turn(pair, width=width) < EXACT
        assert recording.replays == before + replays, width
    for width, made in ((7, 0), (6, 1), (5, 0)):
        before = recording.made
        for _ in range(3):
            assert turn(pair, width=width) < EXACT
        assert recording.made == before + made, width


def test_recordings_make_way_where_memory_runs_out(runners, monkeypatch):
    recording = Recording()
    pair = runners(recording)
    for _ in range(3):
        assert turn(pair) < EXACT
    assert recording.made == 1
    left = [torch.OutOfMemoryError("no room")]

    def called(*given):
        if left:
            raise left.pop()
        return cached_call(*given)

    monkeypatch.setattr(slot_reader, "cached_call", called)
    assert turn(pair, width=20) < EXACT
    assert not left
    monkeypatch.setattr(slot_reader, "cached_call", cached_call)
    assert replayed_and_made(pair, recording) == (0, 2)


def test_a_wider_recording_is_left_alone_where_there_is_no_room(runners):
    recording = Recording()
    pair = runners(recording)
    for _ in range(3):
        assert turn(pair, width=4, wanted=3) < EXACT
    room = pair[0]._reader.cache.capacity - pair[0].length(0)
    for runner in pair:
        runner.forward([Feed(0, [7] * (room - 2))])
    before = recording.replays
    assert turn(pair) < EXACT
    assert recording.replays == before


def test_keys_that_move_are_recorded_anew(runners):
    recording = Recording()
    pair = runners(recording)
    for _ in range(4):
        turn(pair)
    for runner in pair:
        runner.forward([Feed(1, [7 + i % 40 for i in range(300)])])
    assert replayed_and_made(pair, recording) == (0, 2)


def test_a_cache_that_was_let_go_of_is_not_read(runners):
    recording = Recording()
    pair = runners(recording)
    for _ in range(4):
        turn(pair)
    for runner in pair:
        for slot in range(3):
            runner.release(slot)
        runner.clear()
        for slot in range(3):
            runner.forward([Feed(runner.acquire([8, slot])[0], [8, slot])])
    assert replayed_and_made(pair, recording) == (0, 2)


def test_keys_go_with_their_runner(runners, uncollected):
    recording = Recording()
    pair = runners(recording)
    for _ in range(4):
        turn(pair)
    assert recording.made == 1
    keys = weakref.ref(pair[0]._reader.cache.tensors()[0])
    del pair
    assert keys() is None


def test_room_is_given_back_while_steps_are_replayed(runners):
    recording = Recording()
    pair = runners(recording)
    for runner in pair:
        runner.forward([Feed(1, [7 + i % 40 for i in range(900)])])
        runner.rollback(1, 3)
    cache = pair[0]._reader.cache
    assert cache.capacity == 1024
    for _ in range(70):
        assert turn(pair) < EXACT
    assert cache.capacity == 256
    assert recording.made == 2


def test_one_shape_without_memory_is_one_shape(runners, caplog):
    recording = Recording()
    pair = runners(recording)
    for _ in range(3):
        turn(pair)
    recording.error = torch.OutOfMemoryError("no room")
    for _ in range(5):
        assert turn(pair, width=4) < EXACT
    recording.error = None
    before = recording.replays
    assert turn(pair) < EXACT
    assert (recording.made, recording.replays) == (1, before + 1)
    assert not [r for r in caplog.records if r.name == LOGGER]


def test_longer_reads_and_hidden_states_are_not_recorded(runners):
    recording = Recording()
    pair = runners(recording)
    for _ in range(4):
        assert turn(pair, width=17) < EXACT
    for runner in pair:
        runner.want_hidden = True
    for _ in range(4):
        assert turn(pair) < EXACT
    assert recording.made == 0


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (Recording(error=RuntimeError("it waits")), "it waits"),
        (Recording(spoil=(slice(None), 0, 5)), "logits differ by"),
    ],
)
def test_what_cannot_be_recorded_rightly_is_called(runners, caplog, recording, reason):
    pair = runners(recording)
    for _ in range(8):
        assert turn(pair) < EXACT
    said = [r.getMessage() for r in caplog.records if r.name == LOGGER]
    assert len(said) == 1
    assert said[0].startswith(f"steps are not recorded as notes: {reason}")
    assert recording.replays <= 1
    again = runners(recording)  # another runner of the same model
    for _ in range(4):
        assert turn(again) < EXACT
    assert len([r for r in caplog.records if r.name == LOGGER]) == 1


def test_what_is_known_is_recorded_at_once(runners):
    recording = Recording(known={(1, 1)})
    pair = runners(recording)
    assert turn(pair) < EXACT
    assert recording.sizes == [(3, 256, 1, 1)]
    assert turn(pair, width=5) < EXACT
    assert recording.made == 1


def test_a_read_of_few_slots_is_not_worth_one_of_all(runners):
    recording = Recording(share=0.5, known={(1, 1)})
    pair = runners(recording)
    for _ in range(4):
        assert turn(pair, (2,)) < EXACT
    assert recording.made == 0
    assert turn(pair, (0, 2)) < EXACT
    assert (recording.made, recording.replays) == (1, 2)
    assert turn(pair, (2,)) < EXACT
    assert recording.replays == 2


def test_where_precision_is_mixed_nothing_is_recorded():
    runner = choose_runner(tiny_model("llama"), 1, torch.bfloat16, Recording())
    assert not runner.records


def test_where_attention_is_the_models_own_nothing_is_recorded():
    runner = choose_runner(tiny_model("gemma2"), 1, recorder=Recording())
    assert not runner.records


def test_what_records_depends_on_where_the_model_is():
    model = tiny_model("llama")
    assert recorder_of(model, cuda_graphs=True, compiles=False) is None
    assert isinstance(recorder_of(model, False, compiles=True), CompiledSteps)
    with torch.device("meta"):
        assert recorder_of(torch.nn.Linear(2, 2), True, True) is None
    packed = tiny_model("llama")
    layer = packed.model.layers[0].mlp
    (layer.up_proj,) = BlockedLayout().packed([layer.up_proj], [False], Shelf())
    assert layer.up_proj.weight.is_meta
    assert isinstance(recorder_of(packed, False, True), CompiledSteps)
    accelerate.cpu_offload(model.lm_head, torch.device("cpu"))
    assert recorder_of(model, True, True) is None
