"""The cost of a block is booked under what the LLM read."""

import pytest
from hybridlm_strategy_speculative import Speculative

from hybridcore.decoding import engine as engine_module
from hybridcore.decoding.drafting_guard import DraftingGuard

from .costly import GREEDY, cycle, engine, requests


class Noting(DraftingGuard):
    """Keeps the widths that it is told."""

    told = []

    def judged(self, judged, width, seconds, in_step):
        self.told.append(width if in_step else None)
        super().judged(judged, width, seconds, in_step)


@pytest.mark.parametrize(("stops", "batch"), [((), 2), (("Z",), 1)])
def test_blocks_are_as_wide_as_the_longest_row(stops, batch, monkeypatch):
    """All are padded to it, and a block that a stop string cuts was read whole."""
    monkeypatch.setattr(engine_module, "DraftingGuard", Noting)
    Noting.told.clear()
    table = cycle(32, 1)
    made = engine(table, table, Speculative(4), batch=batch)
    fields = {"stops": stops, "decode": lambda ids: "".join(chr(65 + i) for i in ids)}
    prompts, lengths = [[i] for i in range(16)], [20 + i for i in range(16)]
    list(made.run(requests(prompts, lengths, GREEDY, **fields)))
    measured = [told is not None for told in Noting.told]
    assert 5 in Noting.told
    assert [w for w in Noting.told if w is not None] == [
        w for w, kept in zip(made.widths, measured, strict=True) if kept
    ]
