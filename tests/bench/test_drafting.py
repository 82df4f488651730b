"""Who drafts in ``hybridlm bench speculate``."""

import pytest

from hybridcore.bench.drafts import Drafting, drafting, first_layers
from hybridcore.bench.ours import Ours
from hybridcore.bench.replay import Recorded, Replay
from hybridcore.bench.workload import GENERATION
from hybridcore.errors import ArgumentError
from hybridcore.harness.hybrid_lm import HybridLM


@pytest.fixture(scope="module")
def base():
    return HybridLM(
        slm="demo-slm",
        llm="demo-llm",
        strategy="llm-only",
        device="cpu",
        dtype="float32",
        pack=False,
    )


def test_three_ways_to_draft():
    assert drafting("slm") == Drafting()
    assert drafting("first-layers:2") == Drafting(layers=2)
    assert drafting("replay:0.25") == Drafting(rate=0.25)


@pytest.mark.parametrize("text", ["", "replay", "replay:2", "first-layers:0", "x:1"])
def test_another_way_is_refused(text):
    with pytest.raises(ArgumentError) as caught:
        drafting(text)
    assert repr(text) in str(caught.value)


def test_first_layers_are_the_llms_own():
    model = first_layers("demo-llm", 2, "cpu", "float32")
    assert model.config.num_hidden_layers == 2
    with pytest.raises(ArgumentError, match="fewer than the 6 layers"):
        first_layers("demo-llm", 6, "cpu", "float32")


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5])
def test_a_replay_changes_no_text_and_is_accepted_as_stated(base, demo, rate):
    load = demo("hybrid_demo_generation", 3, GENERATION)
    recorded = Recorded()
    plain = Ours(base, recorded, 2).run(load)
    assert all(recorded.book.values())
    replay = Replay(rate=rate, num_drafts=4, **{"book": recorded.book})
    done = Ours(base, replay, 2).run(load)
    assert done.outputs == plain.outputs
    # a token counts only where all before it in its block were right
    expected = sum((1 - rate) ** i for i in range(1, 5)) / 4
    found = done.counts["draft_acceptance_rate"]
    assert found == pytest.approx(expected, abs=0.1 if rate else 0.0)
