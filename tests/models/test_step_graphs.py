"""Recorded reads: when they are made, and that a wrong one is never used."""

import pytest
import torch

from hybridcore.conformance.tiny import tiny_model
from hybridcore.models import probe, slot_reader, step_graphs
from hybridcore.models.cached_call import cached_call
from hybridcore.models.cuda_recorder import recorder
from hybridcore.models.probe import choose_runner
from hybridcore.models.recompute import RecomputeRunner
from hybridcore.models.runner import Feed
from hybridcore.models.trial import errors

LOGGER = "hybridcore.models.step_graphs"
EXACT = 1e-4  # of the spread of the logits


class Recording:
    """Records as a GPU would: what was run is run again, counted."""

    def __init__(self, spoil=None, error=None):
        self.spoil, self.error = spoil, error
        self.made = self.replays = 0

    def __call__(self, run):
        if self.error is not None:
            raise self.error
        self.made += 1

        def replay():
            self.replays += 1
            found = run()
            if self.spoil is not None:
                found[self.spoil] = 7.0

        return replay


@pytest.fixture
def runners(monkeypatch):
    monkeypatch.setattr(step_graphs, "_WORTH_RECORDING", 3)

    def make(recording, slots=3, **settings):
        monkeypatch.setattr(probe, "recorder", lambda model: recording)
        model = tiny_model("llama")
        pair = choose_runner(model, slots, **settings), RecomputeRunner(model, slots)
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
    assert said[0].startswith(f"steps are not recorded as CUDA graphs: {reason}")
    assert recording.replays <= 1


def test_it_can_be_switched_off(runners):
    recording = Recording()
    pair = runners(recording, cuda_graphs=False)
    for _ in range(4):
        assert turn(pair) < EXACT
    assert recording.made == 0


def test_autocast_is_not_recorded(monkeypatch):
    asked = []
    monkeypatch.setattr(probe, "recorder", asked.append)
    choose_runner(tiny_model("llama"), 1, torch.bfloat16)
    assert asked == []


def test_nothing_is_recorded_on_a_cpu():
    assert recorder(tiny_model("llama")) is None
